"""The stack of the network on the embedded AWS: its zones, its ways out, and who may talk to whom."""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloudformation.conftest import Launch, RootClient

NEW = {
    "Egress": "public",
    "VpcCidr": "10.0.0.0/20",
    "ZoneCount": "3",
    "VpcId": "",
    "PublicSubnetIds": "",
    "PrivateSubnetIds": "",
}
GROUPS = ("LoadBalancer", "Web", "Worker", "Database")


@pytest.fixture(scope="module")
def ec2(root: RootClient) -> Any:
    return root("ec2")


@pytest.fixture(scope="module")
def network(launch: Launch) -> dict[str, str]:
    """The outputs of a new network over three zones, in which instances have public addresses."""
    return launch("network", Name="new", **NEW)


@pytest.fixture(scope="module")
def existing(ec2: Any) -> dict[str, str]:
    """A network that was there before, as parameters."""
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    first, second, third = (subnet["SubnetId"] for subnet in subnets[:3])
    return {"VpcId": vpc, "PublicSubnetIds": f"{first},{second}", "PrivateSubnetIds": third}


def _subnets(ec2: Any, ids: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ec2.describe_subnets(SubnetIds=ids.split(","))["Subnets"]
    return found


def _ports(permission: Mapping[str, Any]) -> Iterable[int | None]:
    first, last = permission.get("FromPort"), permission.get("ToPort")
    return [None] if first is None or last is None else range(first, last + 1)


def _rules(ec2: Any, network: Mapping[str, str]) -> dict[str, tuple[set[Any], set[Any]]]:
    """For each group, its rules for what comes in and for what goes out: a port, and who is on the other side."""
    names = {network[f"{group}SecurityGroupId"]: group for group in GROUPS}

    def read(permissions: list[dict[str, Any]]) -> set[Any]:
        return {
            (port, other)
            for permission in permissions
            for port in _ports(permission)
            for other in [
                *(block["CidrIp"] for block in permission.get("IpRanges", ())),
                *(block["CidrIpv6"] for block in permission.get("Ipv6Ranges", ())),
                *(names[pair["GroupId"]] for pair in permission.get("UserIdGroupPairs", ())),
            ]
        }

    groups = ec2.describe_security_groups(GroupIds=list(names))["SecurityGroups"]
    return {
        names[group["GroupId"]]: (read(group["IpPermissions"]), read(group["IpPermissionsEgress"])) for group in groups
    }


@pytest.mark.parametrize("zones", ["2", "3"])
def test_there_is_a_public_and_a_private_subnet_in_each_zone(ec2: Any, launch: Launch, zones: str) -> None:
    made = launch("network", **{**NEW, "Name": "zones", "ZoneCount": zones})
    for kind in ("PublicSubnetIds", "PrivateSubnetIds"):
        assert len({subnet["AvailabilityZone"] for subnet in _subnets(ec2, made[kind])}) == int(zones)
    both = _subnets(ec2, f"{made['PublicSubnetIds']},{made['PrivateSubnetIds']}")
    blocks = [ip_network(subnet["CidrBlock"]) for subnet in both]
    assert all(block.subnet_of(ip_network(NEW["VpcCidr"])) for block in blocks)
    assert not any(one.overlaps(other) for one in blocks for other in blocks if one is not other)


def test_who_may_talk_to_whom(ec2: Any, network: Mapping[str, str]) -> None:
    everybody = {"0.0.0.0/0", "::/0"}
    assert _rules(ec2, network) == {
        "LoadBalancer": ({(port, who) for port in (80, 443) for who in everybody}, {(8000, "Web"), (8001, "Web")}),
        "Web": ({(8000, "LoadBalancer"), (8001, "LoadBalancer")}, {(443, "0.0.0.0/0"), (5432, "Database")}),
        "Worker": (set(), {(443, "0.0.0.0/0"), (5432, "Database")}),
        "Database": ({(5432, "Web"), (5432, "Worker")}, {(None, "127.0.0.1/32")}),
    }


@pytest.mark.parametrize(
    ("egress", "subnets", "addresses"),
    [
        ("public", "PublicSubnetIds", "true"),
        ("nat", "PrivateSubnetIds", "false"),
        ("endpoints", "PrivateSubnetIds", "false"),
    ],
)
def test_egress_says_where_instances_are_and_whether_they_have_public_addresses(
    launch: Launch, existing: Mapping[str, str], egress: str, subnets: str, addresses: str
) -> None:
    for place in (NEW, NEW | existing):
        made = launch("network", **{**place, "Name": "egress", "Egress": egress})
        assert (made["InstanceSubnetIds"], made["PublicAddresses"]) == (made[subnets], addresses)


@pytest.fixture
def routes(ec2: Any) -> Callable[[str], list[set[str]]]:
    """A function that returns where each of some subnets can reach the internet through."""

    def find(subnet_ids: str) -> list[set[str]]:
        tables = ec2.describe_route_tables(
            Filters=[{"Name": "association.subnet-id", "Values": subnet_ids.split(",")}]
        )["RouteTables"]
        return [
            {
                route.get("NatGatewayId") or route["GatewayId"]
                for route in table["Routes"]
                if route["DestinationCidrBlock"] == "0.0.0.0/0"
            }
            for table in tables
        ]

    return find


def test_private_subnets_have_no_way_to_the_internet(
    network: Mapping[str, str], routes: Callable[[str], list[set[str]]]
) -> None:
    assert routes(network["PrivateSubnetIds"]) == [set()] * 3
    ((gateway,),) = routes(network["PublicSubnetIds"])
    assert gateway.startswith("igw-")


def test_with_nat_each_zone_has_a_way_of_its_own(launch: Launch, routes: Callable[[str], list[set[str]]]) -> None:
    made = launch("network", **{**NEW, "Name": "nat", "Egress": "nat"})
    ways = routes(made["PrivateSubnetIds"])
    assert len(set.union(*ways)) == len(ways) == 3


def _endpoints(ec2: Any, vpc: str) -> dict[str, dict[str, Any]]:
    found = ec2.describe_vpc_endpoints()["VpcEndpoints"]  # the emulator filters none
    return {endpoint["ServiceName"].rsplit(".", 1)[-1]: endpoint for endpoint in found if endpoint["VpcId"] == vpc}


def test_photos_reach_s3_without_a_gateway_that_is_paid_for(ec2: Any, network: Mapping[str, str]) -> None:
    ((name, endpoint),) = _endpoints(ec2, network["VpcId"]).items()
    assert (name, endpoint["VpcEndpointType"]) == ("s3", "Gateway")
    assert len(endpoint["RouteTableIds"]) == 4


def test_with_endpoints_every_aws_service_that_instances_call_has_one(ec2: Any, launch: Launch) -> None:
    made = launch("network", **{**NEW, "Name": "endpoints", "Egress": "endpoints"})
    endpoints = _endpoints(ec2, made["VpcId"])
    agents = {"ssm", "ssmmessages", "logs", "monitoring"}
    called = agents | {"sqs", "sns", "secretsmanager", "autoscaling", "cloudformation"}
    assert set(endpoints) == called | {"s3"}
    for name in called:
        assert endpoints[name]["VpcEndpointType"] == "Interface"
        assert set(endpoints[name]["SubnetIds"]) == set(made["PrivateSubnetIds"].split(","))


def test_in_an_existing_network_nothing_is_made_but_security_groups(
    ec2: Any, launch: Launch, existing: Mapping[str, str]
) -> None:
    def count() -> list[int]:
        return [
            len(ec2.describe_vpcs()["Vpcs"]),
            len(ec2.describe_subnets()["Subnets"]),
            len(ec2.describe_route_tables()["RouteTables"]),
            len(ec2.describe_vpc_endpoints()["VpcEndpoints"]),
            len(ec2.describe_internet_gateways()["InternetGateways"]),
        ]

    before = count()
    made = launch("network", **{**NEW, **existing, "Name": "existing"})
    assert count() == before
    assert {name: made[name] for name in existing} == existing


@pytest.mark.parametrize(("host", "is_open"), [("", False), ("db.example.com", True)])
def test_instances_reach_a_database_anywhere_only_if_it_is_none_of_ours(
    ec2: Any, launch: Launch, host: str, is_open: bool
) -> None:
    rules = _rules(ec2, launch("network", **{**NEW, "DatabaseHost": host, "Name": "elsewhere"}))
    for tier in ("Web", "Worker"):
        assert ((5432, "0.0.0.0/0") in rules[tier][1]) == is_open


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"VpcId": "vpc-00000001"}, "With VpcId, PublicSubnetIds must name"),
        ({"PublicSubnetIds": "subnet-00000001"}, "name it in VpcId"),
        ({"PrivateSubnetIds": "subnet-00000001"}, "name it in VpcId"),
        ({"VpcCidr": "10.0.0.0/21"}, "between /16 and /20"),
        ({"VpcCidr": "8.8.0.0/16"}, "private block"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused_before_anything_is_made(
    launch: Launch, changes: Mapping[str, str], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason):
        launch("network", **{**NEW, "Name": "refused", **changes})
