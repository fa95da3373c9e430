# The image of the web tier.
build {
  name = "web"

  source "amazon-ebs.debian" {
    name     = "web"
    ami_name = "photofleet-web-${local.suffix}"
  }

  provisioner "file" {
    sources     = [var.release, "${var.release}.sha256"]
    destination = "/var/tmp/"
  }

  provisioner "shell" {
    execute_command = local.as_root
    inline          = concat(local.unpack, ["photofleet-*/ami/provision.sh web"], local.clean)
  }

  post-processors {
    post-processor "manifest" {
      output = "build/web.json"
    }
    post-processor "shell-local" {
      environment_vars = ["MANIFEST=build/web.json", "TIER=web"]
      inline           = local.publish
    }
  }
}
