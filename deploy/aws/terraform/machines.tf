# The workers.
resource "aws_launch_template" "worker" {
  name                   = var.name
  update_default_version = true
  image_id               = nonsensitive(data.aws_ssm_parameter.image.value)
  key_name               = var.key_name == "" ? null : var.key_name
  vpc_security_group_ids = [aws_security_group.worker.id]
  tags                   = local.tags
  user_data = base64encode(join("", [
    "#!/bin/sh\nexport AWS_REGION='${var.region}' INIT_ROLE=worker INIT_GROUP='${var.name}' INIT_HOOK=ready\n", local.init, local.script,
  ]))

  iam_instance_profile {
    arn = aws_iam_instance_profile.worker.arn
  }
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  monitoring {
    enabled = false
  }
  block_device_mappings {
    device_name = var.root_device
    ebs {
      volume_type           = "gp3"
      volume_size           = var.volume_size
      encrypted             = true
      delete_on_termination = true
    }
  }
  tag_specifications {
    resource_type = "instance"
    tags          = merge(local.tags, { Name = var.name })
  }
  tag_specifications {
    resource_type = "volume"
    tags          = merge(local.tags, { Name = var.name })
  }
}

resource "aws_autoscaling_group" "worker" {
  name                      = var.name
  vpc_zone_identifier       = var.subnet_ids
  min_size                  = 0
  max_size                  = var.max_size
  capacity_rebalance        = true
  health_check_type         = "EC2"
  health_check_grace_period = 300
  default_instance_warmup   = 30
  metrics_granularity       = "1Minute"
  enabled_metrics           = ["GroupDesiredCapacity", "GroupInServiceInstances", "GroupPendingInstances"]
  # A group of none is in order; and running jobs may take their time to end.
  wait_for_capacity_timeout = "0"

  mixed_instances_policy {
    instances_distribution {
      on_demand_base_capacity                  = var.on_demand_base
      on_demand_percentage_above_base_capacity = var.on_demand_percentage
      spot_allocation_strategy                 = "price-capacity-optimized"
      spot_max_price                           = var.spot_max_price
    }
    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.worker.id
        version            = aws_launch_template.worker.latest_version
      }
      dynamic "override" {
        for_each = var.instance_types
        content {
          instance_type = override.value
        }
      }
    }
  }
  # In the group itself, so that the first machine has them.
  initial_lifecycle_hook {
    name                 = "ready"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    heartbeat_timeout    = 1200
    default_result       = "ABANDON"
  }
  initial_lifecycle_hook {
    name                 = "drain"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_TERMINATING"
    heartbeat_timeout    = var.drain_heartbeat_seconds
    default_result       = "CONTINUE"
  }
  tag {
    key                 = "Name"
    value               = var.name
    propagate_at_launch = true
  }
  tag {
    key                 = "Project"
    value               = var.name
    propagate_at_launch = true
  }
  lifecycle {
    # It is the autoscaler's.
    ignore_changes = [desired_capacity]
  }
}

# The machine that sizes the group: a group of one, so that it comes back when it is lost.
resource "aws_launch_template" "controller" {
  name                   = "${var.name}-controller"
  update_default_version = true
  image_id               = nonsensitive(data.aws_ssm_parameter.controller_image.value)
  instance_type          = "t4g.nano"
  key_name               = var.key_name == "" ? null : var.key_name
  vpc_security_group_ids = [aws_security_group.worker.id]
  tags                   = local.tags
  user_data = base64encode(join("", [
    "#!/bin/sh\nexport AWS_REGION='${var.region}' INIT_ROLE=autoscale\n", local.init, local.script,
  ]))

  iam_instance_profile {
    arn = aws_iam_instance_profile.controller.arn
  }
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_type           = "gp3"
      volume_size           = 8
      encrypted             = true
      delete_on_termination = true
    }
  }
  tag_specifications {
    resource_type = "instance"
    tags          = merge(local.tags, { Name = "${var.name}-controller" })
  }
  tag_specifications {
    resource_type = "volume"
    tags          = merge(local.tags, { Name = "${var.name}-controller" })
  }
}

resource "aws_autoscaling_group" "controller" {
  name                      = "${var.name}-controller"
  vpc_zone_identifier       = var.subnet_ids
  min_size                  = 1
  max_size                  = 1
  health_check_type         = "EC2"
  health_check_grace_period = 300

  launch_template {
    id      = aws_launch_template.controller.id
    version = aws_launch_template.controller.latest_version
  }
  tag {
    key                 = "Name"
    value               = "${var.name}-controller"
    propagate_at_launch = true
  }
  tag {
    key                 = "Project"
    value               = var.name
    propagate_at_launch = true
  }
}
