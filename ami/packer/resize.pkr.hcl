# The image of the resize fleet.
build {
  name = "resize"

  source "amazon-ebs.debian" {
    name     = "resize"
    ami_name = "photofleet-resize-${local.suffix}"
  }

  provisioner "file" {
    sources     = [var.release, "${var.release}.sha256"]
    destination = "/var/tmp/"
  }

  provisioner "shell" {
    execute_command = local.as_root
    inline          = concat(local.unpack, ["photofleet-*/ami/provision.sh resize"], local.clean)
  }

  post-processors {
    post-processor "manifest" {
      output = "build/resize.json"
    }
    post-processor "shell-local" {
      environment_vars = ["MANIFEST=build/resize.json", "TIER=resize"]
      inline           = local.publish
    }
  }
}
