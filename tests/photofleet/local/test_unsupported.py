"""What our templates need of the embedded AWS, and ministack alone does not have."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.stack import Clients
from photofleet.stack.stacks import describe, outputs

Launch = Callable[..., dict[str, str]]


@pytest.fixture
def clients(aws: EmbeddedAWS) -> Clients:
    return stacks.clients_of(aws.client_environment())


@pytest.fixture
def launch(clients: Clients) -> Iterator[Launch]:
    """A function that creates a stack from a template, or updates it, and returns its outputs."""
    cloudformation = clients("cloudformation")
    wait = {"Delay": 0.1}

    def run(template: str) -> dict[str, str]:
        if describe(cloudformation, "unsupported"):
            cloudformation.update_stack(StackName="unsupported", TemplateBody=template)
            cloudformation.get_waiter("stack_update_complete").wait(StackName="unsupported", WaiterConfig=wait)
        else:
            cloudformation.create_stack(StackName="unsupported", TemplateBody=template)
            cloudformation.get_waiter("stack_create_complete").wait(StackName="unsupported", WaiterConfig=wait)
        stack = describe(cloudformation, "unsupported")
        assert stack
        return outputs(stack)

    yield run
    cloudformation.delete_stack(StackName="unsupported")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="unsupported", WaiterConfig=wait)


NETWORK = """
Resources:
  Vpc: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: 10.9.0.0/16}}}}
  Subnet: {{Type: AWS::EC2::Subnet, Properties: {{VpcId: !Ref Vpc, CidrBlock: 10.9.0.0/24}}}}
  Group: {{Type: AWS::EC2::SecurityGroup, Properties: {{VpcId: !Ref Vpc, GroupDescription: A group.}}}}
  Rule:
    Type: AWS::EC2::SecurityGroupIngress
    Properties: {{GroupId: !Ref Group, IpProtocol: tcp, FromPort: {port}, ToPort: {port}, CidrIp: 10.0.0.0/8}}
  Address: {{Type: AWS::EC2::EIP}}
  Nat:
    Type: AWS::EC2::NatGateway
    Properties: {{SubnetId: !Ref Subnet, AllocationId: !GetAtt Address.AllocationId}}
Outputs:
  Group: {{Value: !Ref Group}}
  Rule: {{Value: !GetAtt Rule.Id}}
  Address: {{Value: !Ref Address}}
  Nat: {{Value: !GetAtt Nat.NatGatewayId}}
"""


def _ports(ec2: Any, group: str) -> list[int]:
    (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    return [rule["FromPort"] for rule in found["IpPermissions"]]


def test_rules_addresses_and_gateways_of_a_network_are_made_changed_and_deleted(
    launch: Launch, clients: Clients
) -> None:
    ec2 = clients("ec2")
    made = launch(NETWORK.format(port=80))
    assert made["Rule"].startswith("sgr-")
    assert _ports(ec2, made["Group"]) == [80]
    assert ec2.describe_addresses(PublicIps=[made["Address"]])["Addresses"]
    (gateway,) = ec2.describe_nat_gateways(NatGatewayIds=[made["Nat"]])["NatGateways"]
    assert gateway["State"] == "available"
    launch(NETWORK.format(port=443))
    assert _ports(ec2, made["Group"]) == [443]


GROUP = """
Resources:
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties: {{LaunchTemplateData: {{ImageId: ami-1, InstanceType: t3.micro}}}}
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      MinSize: "0"
      MaxSize: "{largest}"
      LaunchTemplate: {{LaunchTemplateId: !Ref Template, Version: !GetAtt Template.LatestVersionNumber}}
Outputs:
  Group: {{Value: !Ref Group}}
"""


@pytest.mark.parametrize(("largest", "size"), [(20, 7), (5, 5)])
def test_an_update_leaves_a_group_that_scales_as_large_as_it_is(
    launch: Launch, clients: Clients, largest: int, size: int
) -> None:
    group, autoscaling = launch(GROUP.format(largest=10))["Group"], clients("autoscaling")
    autoscaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=7)
    launch(GROUP.format(largest=largest))
    (found,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    assert (found["DesiredCapacity"], found["MaxSize"]) == (size, largest)


MATH = """
Parameters:
  Image:
    Type: AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>
    Default: /unsupported/image
    AllowedPattern: ^/.+$
Resources:
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      ComparisonOperator: GreaterThanThreshold
      EvaluationPeriods: 1
      Threshold: 1
      Metrics:
        - {Id: sum, Expression: 1 + 1}
Outputs:
  Alarm: {Value: !GetAtt Alarm.Arn}
  Image: {Value: !Ref Image}
"""


def test_alarms_on_metric_math_are_accepted_and_patterns_are_about_the_names_of_parameters(
    launch: Launch, clients: Clients
) -> None:
    clients("ssm").put_parameter(Name="/unsupported/image", Value="ami-7", Type="String", Overwrite=True)
    made = launch(MATH)
    assert made["Alarm"].startswith("arn:aws:cloudwatch:us-east-1:000000000000:alarm:unsupported-Alarm")
    assert made["Image"] == "ami-7"
