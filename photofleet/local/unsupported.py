# ruff: noqa: SLF001 -- ministack has no other way in
"""What our templates use, and ministack 1.5.33 refuses or does otherwise than AWS.

A resource is made in ministack's own store where it has one, so that what describes it shows it; `Ref` and `!GetAtt`
give what they give on AWS.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import autoscaling, ec2
from ministack.services.cloudformation import engine, provisioners

Properties = Mapping[str, Any]
Made = tuple[str, dict[str, Any]]
Create = Callable[[str, Properties, str], Made]
Delete = Callable[[str, Properties], None]


def register() -> None:
    """Have this process's ministack take it."""
    engine.CfnLoader = _fast(engine.CfnLoader)
    engine._check_parameter_constraints = _for_names_not_values(engine._check_parameter_constraints)
    types = provisioners._RESOURCE_HANDLERS
    group = types["AWS::AutoScaling::AutoScalingGroup"]
    types["AWS::AutoScaling::AutoScalingGroup"] = {**group, "update": _keeping_capacity(group["update"])}
    balanced = types["AWS::ElasticLoadBalancingV2::TargetGroup"]
    types["AWS::ElasticLoadBalancingV2::TargetGroup"] = {
        **balanced,
        "create": _with_full_name(balanced["create"]),
        "update": _with_full_name(balanced["update"]),
    }
    types["AWS::CloudWatch::Alarm"] = _alarms_with_metric_math(types["AWS::CloudWatch::Alarm"])
    for direction, store in (("Ingress", "IpPermissions"), ("Egress", "IpPermissionsEgress")):
        types[f"AWS::EC2::SecurityGroup{direction}"] = _replaced_by_updates(
            partial(_allow, store), partial(_disallow, store)
        )
    types["AWS::EC2::EIP"] = _replaced_by_updates(_allocate_address, _release_address)
    types["AWS::EC2::NatGateway"] = _replaced_by_updates(_create_nat_gateway, _delete_nat_gateway)


def _fast(slow: Any) -> type:
    """Return a reader of templates on libyaml: ours are long, and it reads them in a tenth of the time."""
    return type("CfnLoader", (engine.yaml.CSafeLoader,), {"yaml_constructors": slow.yaml_constructors})


def _for_names_not_values(check: Callable[..., None]) -> Callable[..., None]:
    """Leave out what a parameter of Systems Manager holds: on AWS, patterns are about its name."""

    def check_names(name: str, definition: Properties, kind: str, value: str) -> None:
        if not kind.startswith(engine._SSM_PARAMETER_VALUE_PREFIX):
            check(name, definition, kind, value)

    return check_names


def _keeping_capacity(update: Callable[..., Made]) -> Callable[..., Made]:
    """Leave a group as large as it is where its template says nothing of that, but within its new limits."""

    def update_keeping_capacity(physical_id: str, old: Properties, new: Properties, *rest: str) -> Made:
        before = autoscaling._asgs[physical_id]["DesiredCapacity"]
        updated = update(physical_id, old, new, *rest)
        group = autoscaling._asgs[updated[0]]
        if "DesiredCapacity" not in new:
            group["DesiredCapacity"] = min(max(before, group["MinSize"]), group["MaxSize"])
        return updated

    return update_keeping_capacity


def _with_full_name(make: Callable[..., Made]) -> Callable[..., Made]:
    """Give a target group's name in its metrics as AWS has it: the last part of its ARN."""

    def make_with_full_name(*request: Any) -> Made:
        arn, attributes = make(*request)
        return arn, {**attributes, "TargetGroupFullName": arn.rsplit(":", 1)[1]}

    return make_with_full_name


def _replaced_by_updates(create: Create, delete: Delete) -> dict[str, Any]:
    def update(physical_id: str, old: Properties, new: Properties, stack: str, logical_id: str) -> Made:
        delete(physical_id, old)
        return create(logical_id, new, stack)

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def _alarms_with_metric_math(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Take alarms on metric math for made. Nothing evaluates them here: there are no metrics, and nothing scales."""

    def create(logical_id: str, properties: Properties, stack: str) -> Made:
        if "Metrics" not in properties:
            made: Made = plain["create"](logical_id, properties, stack)
            return made
        name = properties.get("AlarmName") or provisioners._physical_name(stack, logical_id, max_len=255)
        return name, {"Arn": f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{name}"}

    def update(physical_id: str, old: Properties, new: Properties, stack: str, logical_id: str) -> Made:
        if "Metrics" not in old and "Metrics" not in new:
            updated: Made = plain["update"](physical_id, old, new, stack, logical_id)
            return updated
        plain["delete"](physical_id, old)
        return create(logical_id, new, stack)

    return {**plain, "create": create, "update": update}


def _allow(store: str, _logical_id: str, properties: Properties, _stack: str) -> Made:
    group = ec2._security_groups[properties["GroupId"]]
    group[store] += provisioners._ec2_sg_permissions([properties])
    rule = f"sgr-{new_uuid().replace('-', '')[:17]}"
    return rule, {"Id": rule}


def _disallow(store: str, _physical_id: str, properties: Properties) -> None:
    # The group may have gone first, as it does with the whole network.
    group = ec2._security_groups.get(properties["GroupId"])
    if group:
        provisioners._ec2_sg_reconcile(group[store], provisioners._ec2_sg_permissions([properties]), [])


def _allocate_address(_logical_id: str, _properties: Properties, _stack: str) -> Made:
    answer = _ec2("AllocateAddress", Domain="vpc")
    allocation, address = _element("allocationId", answer), _element("publicIp", answer)
    return address, {"AllocationId": allocation, "PublicIp": address}


def _release_address(physical_id: str, _properties: Properties) -> None:
    for allocation, address in list(ec2._addresses.items()):
        if address["PublicIp"] == physical_id:
            _ec2("ReleaseAddress", AllocationId=allocation)


def _create_nat_gateway(_logical_id: str, properties: Properties, _stack: str) -> Made:
    answer = _ec2("CreateNatGateway", SubnetId=properties["SubnetId"], AllocationId=properties["AllocationId"])
    gateway = _element("natGatewayId", answer)
    return gateway, {"NatGatewayId": gateway}


def _delete_nat_gateway(physical_id: str, _properties: Properties) -> None:
    _ec2("DeleteNatGateway", NatGatewayId=physical_id)


def _ec2(action: str, **parameters: str) -> str:
    _, _, body = ec2._ACTION_MAP[action]({name: [value] for name, value in parameters.items()})
    return body if isinstance(body, str) else body.decode()


def _element(name: str, answer: str) -> str:
    found = re.search(f"<{name}>([^<]+)</{name}>", answer)
    if not found:
        raise ValueError(answer)
    return found[1]
