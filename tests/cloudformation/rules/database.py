"""The database is RDS's, and only ours reach it."""

from collections.abc import Iterator

from tests.cloudformation.rules.rule import Documents, origins, properties, resource, resources, rule

POSTGRESQL = 5432


@rule(
    lambda documents: resource(documents, "network.yaml", "WebFromLoadBalancer").update(FromPort=5000, ToPort=8000),
    lambda documents: resource(documents, "network.yaml", "WebFromLoadBalancer").update(IpProtocol="-1"),
    lambda documents: resource(documents, "network.yaml", "DatabaseSecurityGroup")["SecurityGroupIngress"][0].update(
        CidrIp="10.0.0.0/8"
    ),
)
def only_rds_listens_as_a_database_and_only_to_groups_of_ours(documents: Documents) -> Iterator[str]:
    database = origins(documents, "database.yaml", {"Ref": "SecurityGroupId"})
    for file, name, body in resources(documents, "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress"):
        given = body["Properties"]
        own = {f"{file} {name}"}
        for entry in given.get("SecurityGroupIngress", [given] if "GroupId" in given else []):
            to = origins(documents, file, given["GroupId"]) if "GroupId" in given else own
            ports = range(entry.get("FromPort", 0), entry.get("ToPort", 65535) + 1)
            if str(entry["IpProtocol"]) == "-1" or POSTGRESQL in ports:
                if not to <= database:
                    yield f"{file} {name} lets in what a database listens to."
                elif {"CidrIp", "CidrIpv6"} & set(entry) or "SourceSecurityGroupId" not in entry:
                    yield f"{file} {name} lets addresses reach the database."


@rule(
    lambda documents: resource(documents, "database.yaml", "Instance").update(StorageEncrypted=False),
    lambda documents: resource(documents, "database.yaml", "Cluster").pop("DeletionProtection"),
    lambda documents: resource(documents, "database.yaml", "Instance").update(MasterUserPassword="secret"),
    lambda documents: resource(documents, "database.yaml", "SecondClusterInstance").update(PubliclyAccessible=True),
)
def a_database_is_encrypted_and_protected_and_private(documents: Documents) -> Iterator[str]:
    for where, given in properties(documents, "AWS::RDS::DBInstance", "AWS::RDS::DBCluster"):
        if "DBClusterIdentifier" not in given:
            for switch in ("StorageEncrypted", "DeletionProtection", "ManageMasterUserPassword"):
                if given.get(switch) is not True:
                    yield f"{where} does without {switch}."
        if "MasterUserPassword" in given:
            yield f"{where} has its password in the template."
        # A cluster is reached through its instances alone.
        if "DBInstanceClass" in given and given.get("PubliclyAccessible") is not False:
            yield f"{where} can be reached from the internet."
