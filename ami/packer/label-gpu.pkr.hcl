# The image of the label fleet, for instances with an NVIDIA GPU.
build {
  name = "label-gpu"

  source "amazon-ebs.deep_learning" {
    name     = "label-gpu"
    ami_name = "photofleet-label-gpu-${local.suffix}"
  }

  provisioner "file" {
    sources     = concat([var.release, "${var.release}.sha256"], local.weights)
    destination = "/var/tmp/"
  }

  provisioner "shell" {
    execute_command  = local.as_root
    environment_vars = local.network
    inline           = concat(local.unpack, ["photofleet-*/ami/provision.sh label-gpu"], local.clean)
  }

  post-processors {
    post-processor "manifest" {
      output = "build/label-gpu.json"
    }
    post-processor "shell-local" {
      environment_vars = ["MANIFEST=build/label-gpu.json", "TIER=label"]
      inline           = local.publish
    }
  }
}
