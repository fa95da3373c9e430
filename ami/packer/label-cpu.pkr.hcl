# The image of the label fleet, for instances without a GPU.
build {
  name = "label-cpu"

  source "amazon-ebs.debian" {
    name     = "label-cpu"
    ami_name = "photofleet-label-cpu-${local.suffix}"
  }

  provisioner "file" {
    sources     = concat([var.release, "${var.release}.sha256"], local.weights)
    destination = "/var/tmp/"
  }

  provisioner "shell" {
    execute_command  = local.as_root
    environment_vars = local.network
    inline           = concat(local.unpack, ["photofleet-*/ami/provision.sh label-cpu"], local.clean)
  }

  post-processors {
    post-processor "manifest" {
      output = "build/label-cpu.json"
    }
    post-processor "shell-local" {
      environment_vars = ["MANIFEST=build/label-cpu.json", "TIER=label"]
      inline           = local.publish
    }
  }
}
