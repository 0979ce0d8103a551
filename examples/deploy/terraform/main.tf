# Herald as a stack of CloudFormation, with a rule of your own: docs/deploying.md.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

variable "bucket" {
  description = "The bucket of `scripts/sam package`."
  type        = string
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

# The template is larger than CloudFormation accepts within a request.
resource "aws_s3_object" "template" {
  bucket = var.bucket
  key    = "herald/${filemd5("packaged.yaml")}.yaml"
  source = "packaged.yaml"
}

resource "aws_cloudformation_stack" "herald" {
  name         = "herald"
  template_url = "https://${aws_s3_object.template.bucket}.s3.${data.aws_region.current.region}.amazonaws.com/${aws_s3_object.template.key}"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    Authentication = "secret"
    RuleArns       = "arn:${data.aws_partition.current.partition}:events:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:rule/shop-*"
  }
}

output "web_socket_uri" {
  value = aws_cloudformation_stack.herald.outputs["WebSocketUri"]
}

resource "aws_cloudwatch_event_rule" "order_shipped" {
  name = "shop-order-shipped"

  event_pattern = jsonencode({
    source        = ["shop.orders"]
    "detail-type" = ["Order Shipped"]
  })
}

resource "aws_cloudwatch_event_target" "order_shipped" {
  rule = aws_cloudwatch_event_rule.order_shipped.name
  arn  = aws_cloudformation_stack.herald.outputs["NotificationQueueArn"]

  input_transformer {
    input_paths = {
      id      = "$.id"
      order   = "$.detail.orderId"
      carrier = "$.detail.carrier"
    }
    # jsonencode would escape the angle brackets.
    input_template = <<-EOT
      {"entityId": <order>, "message": {"state": "shipped", "carrier": <carrier>}, "idempotencyKey": <id>}
    EOT
  }
}
