# What the images of all roles have in common. To bake one:
#
#   packer init ami/packer
#   packer build -only 'web.*' -var region=eu-west-1 -var release=build/release/photofleet-VERSION.tar ami/packer

packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.3.0, < 2.0.0"
    }
  }
}

variable "release" {
  type        = string
  description = "The release to bake, as `make release` built it, with its .sha256 beside it."

  validation {
    condition     = can(regex("(^|/)photofleet-[^/]+\\.tar$", var.release))
    error_message = "The release must be a file photofleet-VERSION.tar."
  }
}

variable "region" {
  type        = string
  description = "The region to bake in, which is the one that the stacks are in."
}

variable "subnet_id" {
  type        = string
  default     = ""
  description = "The public subnet to bake in; without one, a subnet of the default VPC."
}

variable "publish" {
  type        = bool
  default     = true
  description = "Whether the next update of the stacks takes the image, through the parameter /photofleet/images/TIER."
}

variable "label_model" {
  type        = string
  default     = ""
  description = "What the label image labels with, as PHOTOFLEET_LABEL_MODEL says; EfficientNet-Lite2 if it is not said."
}

variable "label_weights" {
  type        = string
  default     = ""
  description = "The file with its weights on this machine; beside a .pt or .pt2 file, what belongs to it."

  validation {
    condition     = can(regex("^([^']*\\.(pth|pt|pt2))?$", var.label_weights))
    error_message = "The weights must be a file whose name ends with .pth, .pt or .pt2."
  }
}

variable "label_weights_sha256" {
  type        = string
  default     = ""
  description = "The SHA-256 that this file must have."
}

data "amazon-parameterstore" "deep_learning" {
  region = var.region
  name   = regex("(?m)^UBUNTU_PARAMETER=(.*)$", file("${path.root}/../versions.env"))[0]
}

locals {
  versions = { for pair in regexall("(?m)^([A-Z_]+)=(.*)$", file("${path.root}/../versions.env")) : pair[0] => pair[1] }
  release  = regex("photofleet-[^/]+\\.tar$", var.release)
  version  = regex("photofleet-([^/]+)\\.tar$", var.release)[0]
  # A release is baked again for the security updates of its base.
  suffix = "${local.version}-${formatdate("YYYYMMDDhhmm", timestamp())}"
  tags = {
    Service = "photofleet"
    Version = local.version
    Base    = "{{ .SourceAMIName }}"
  }

  # They run as root, around provision.sh: an image has no sudo without a password any more when that has ended.
  as_root = "chmod +x {{ .Path }} && sudo {{ .Vars }} {{ .Path }}"
  unpack = [
    "set -eu",
    "cd /var/tmp",
    "sha256sum --check --strict ${local.release}.sha256",
    "tar --extract --file ${local.release}",
  ]
  clean = concat(["rm -rf /var/tmp/photofleet-*"], [for file in local.weights : "rm -f '/var/tmp/${basename(file)}'"])

  # A network of one's own has two files beside it.
  weights = distinct(compact([
    var.label_weights,
    regex_replace(var.label_weights, "\\.pt2?$", ".toml"),
    regex_replace(var.label_weights, "\\.pt2?$", ".txt"),
  ]))
  network = [
    "PHOTOFLEET_LABEL_MODEL=${var.label_model}",
    "PHOTOFLEET_LABEL_WEIGHTS=${var.label_weights == "" ? "" : "/var/tmp/${basename(var.label_weights)}"}",
    "PHOTOFLEET_LABEL_WEIGHTS_SHA256=${var.label_weights_sha256}",
  ]

  # With the manifest of a bake in MANIFEST, and the part of the service that the image is for in TIER.
  publish = [
    "image=$(sed -n 's/.*\"artifact_id\": \"[^\"]*\\(ami-[0-9a-f]*\\)\".*/\\1/p' \"$MANIFEST\" | tail -n 1)",
    var.publish ? "aws ssm put-parameter --region ${var.region} --name /photofleet/images/$TIER --overwrite --type String --data-type aws:ec2:image --value $image" : "echo $image is not published",
  ]
}

source "amazon-ebs" "debian" {
  region        = var.region
  subnet_id     = var.subnet_id
  instance_type = "m7i-flex.large"

  source_ami_filter {
    owners = [local.versions.DEBIAN_OWNER]
    filters = {
      name = local.versions.DEBIAN_IMAGE
    }
  }

  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_type           = "gp3"
    volume_size           = 20
    encrypted             = true
    delete_on_termination = true
  }

  # Debian's image has no SSM agent before we install it, so Session Manager cannot lead the way in. For the minutes of a
  # bake, the machine that runs Packer, and no other, reaches it, with a key that is made for it.
  ssh_username                              = "admin"
  associate_public_ip_address               = true
  temporary_security_group_source_public_ip = true
  temporary_key_pair_type                   = "ed25519"

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  imds_support = "v2.0"

  run_tags        = local.tags
  run_volume_tags = local.tags
  snapshot_tags   = local.tags
  tags            = local.tags
}

source "amazon-ebs" "deep_learning" {
  region    = var.region
  subnet_id = var.subnet_id
  # The bake needs no GPU, and the cheapest instance with one has hardly more processors.
  instance_type = "m7i-flex.large"
  source_ami    = data.amazon-parameterstore.deep_learning.value

  launch_block_device_mappings {
    device_name           = "/dev/sda1"
    volume_type           = "gp3"
    volume_size           = 100
    encrypted             = true
    delete_on_termination = true
  }

  ssh_username                              = "ubuntu"
  associate_public_ip_address               = true
  temporary_security_group_source_public_ip = true
  temporary_key_pair_type                   = "ed25519"

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  imds_support = "v2.0"

  run_tags        = local.tags
  run_volume_tags = local.tags
  snapshot_tags   = local.tags
  tags            = local.tags
}
