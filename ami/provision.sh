#!/bin/bash
# Turns a stock base image into ours, for one role: photofleet-VERSION/ami/provision.sh ROLE, as root, from an unpacked
# release. Packer and EC2 Image Builder run it on an instance, the tests in a chroot. It starts nothing, and stops only
# what is in its way, so both come out alike; it may be run again on what it made, by the same release or by another one. Whoever unpacked the
# release deletes it afterwards.
#
# Two variables are for companies that do not fetch from Amazon, and for tests that cannot:
#   AGENTS_URL   where Amazon's agents are mirrored: NAME/VERSION/NAME.deb below it, each with its .sig, and NAME/NAME.asc
#   AGENTS_KEYS  a folder with NAME.asc, the keys of a company that signs them anew, to trust in place of Amazon's
# Three settings of the service say what an image of the label fleet labels with, if not with the network that comes
# with us: PHOTOFLEET_LABEL_MODEL, PHOTOFLEET_LABEL_WEIGHTS (a file here, or in S3 where this machine may read it) and
# PHOTOFLEET_LABEL_WEIGHTS_SHA256. They and the network are in the image then.
set -Eeuo pipefail
umask 022

readonly ROLES="web, resize, label-cpu, label-gpu"
readonly HOME_FOLDER=/opt/photofleet
readonly VENV=$HOME_FOLDER/venv
RELEASE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly RELEASE

# What an image needs beside its base, which brings the kernel, the boot loader and the network.
readonly PACKAGES=(ca-certificates cloud-guest-utils cloud-init dbus e2fsprogs logrotate procps systemd-timesyncd)

# What would come in, fetch something, keep a processor busy or the boot waiting. Of cloud-init, stages without a task.
readonly MASKED=(
    ssh.service ssh.socket
    apt-daily.service apt-daily.timer apt-daily-upgrade.service apt-daily-upgrade.timer unattended-upgrades.service
    apt-news.service esm-cache.service motd-news.timer ua-timer.timer ubuntu-advantage.service fwupd-refresh.timer
    update-notifier-download.timer update-notifier-motd.timer
    snapd.service snapd.socket snapd.seeded.service snapd.snap-repair.timer
    dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service man-db.timer
    cloud-config.service cloud-final.service cloud-init-hotplugd.socket
)

# What keeps systemctl and the packages' scripts from starting and stopping anything, also where systemd runs.
export SYSTEMD_OFFLINE=1
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8

refuse() {
    trap - ERR
    echo "provision.sh: $*" >&2
    exit 1
}

step() {
    printf '==> %s (%d s)\n' "$*" "$SECONDS"
}

main() {
    [[ $# -eq 1 && $1 =~ ^(${ROLES//, /|})$ ]] || refuse "Name one role to bake an image for: $ROLES."
    ROLE=$1
    step "Checking the release"
    check_release
    # shellcheck source-path=SCRIPTDIR source=versions.env
    source "$RELEASE/ami/versions.env"
    check_machine
    check_weights
    trap 'refuse "The bake stopped at line $LINENO, at: $BASH_COMMAND. Its last lines above say why."' ERR

    # From here on, and until all is done, this is no image: it would refuse to boot.
    rm -f $HOME_FOLDER/baked
    install_packages
    install_agents
    install_environment
    install_files
    install_network
    configure
    clean
    echo "$RELEASE_VERSION" >$HOME_FOLDER/baked
    step "Baked $ROLE $RELEASE_VERSION"
}

# Not a byte of the release is used before all of it is known to be as it was built.
check_release() {
    local damaged surplus
    cd "$RELEASE"
    [[ -f SHA256SUMS ]] || refuse "$RELEASE is no whole release: SHA256SUMS is missing; unpack the tarball again."
    if ! damaged=$(sha256sum --check --quiet --strict SHA256SUMS 2>/dev/null); then
        damaged=${damaged%%$'\n'*}
        refuse "The release is damaged: ${damaged%%:*} is not as SHA256SUMS says; take a whole tarball and unpack it anew."
    fi
    surplus=$(comm -13 <(cut -c67- SHA256SUMS | sort) <(find . ! -type d ! -path ./SHA256SUMS -printf '%P\n' | sort))
    surplus=${surplus%%$'\n'*}
    [[ -z $surplus ]] || refuse "The release is not as it was built: $surplus is not in SHA256SUMS; unpack the tarball anew."
    RELEASE_VERSION=$(sed -n 's/^ *"version": "\(.*\)",$/\1/p' manifest.json)
    [[ -f requirements/$ROLE.txt ]] || refuse "This release has no $ROLE; build one with: make release ROLES=$ROLE."
    cd /
}

check_machine() {
    local base found needed free
    [[ $EUID -eq 0 ]] || refuse "Baking changes the whole machine, so it is for root; run it with sudo."
    base="debian $DEBIAN_VERSION x86_64" PYTHON=$DEBIAN_PYTHON needed=1000
    case $ROLE in
        label-cpu) needed=2500 ;;
        label-gpu) base="ubuntu $UBUNTU_VERSION x86_64" PYTHON=$UBUNTU_PYTHON needed=12000 ;;
    esac
    found=$(source /etc/os-release && echo "$ID $VERSION_ID $(uname -m)")
    [[ $found == "$base" ]] || refuse "The role $ROLE is baked on $base, and this is $found; start from that base image."
    DISTRIBUTION=${found%% *}
    free=$(df --block-size=MB --output=avail / | tr -dc '0-9')
    ((free >= needed)) || refuse "The role $ROLE takes $needed MB, and / has $free MB free; take a larger disk."
}

check_weights() {
    local weights=${PHOTOFLEET_LABEL_WEIGHTS-}
    [[ -z $weights || $weights == s3://* || ($weights == /* && -f $weights) ]] ||
        refuse "PHOTOFLEET_LABEL_WEIGHTS=$weights is no file here; write its whole path, or s3://bucket/key."
    [[ $weights != "$HOME_FOLDER"/* ]] ||
        refuse "PHOTOFLEET_LABEL_WEIGHTS=$weights is what an earlier bake put here; give the file that it was made of."
}

apt() {
    apt-get --quiet --quiet --yes --option APT::Install-Recommends=false --option DPkg::Lock::Timeout=300 \
        --option Dpkg::Options::=--force-confold --option Dpkg::Use-Pty=0 "$@"
}

install_packages() {
    step "Installing packages, and all security updates"
    if [[ -d /run/systemd/system ]]; then
        # A fresh instance writes its sources of packages while it boots, and then looks for updates itself.
        timeout 300 cloud-init status --wait >/dev/null || true
        SYSTEMD_OFFLINE=0 systemctl stop apt-daily{,-upgrade}.{timer,service} unattended-upgrades.service 2>/dev/null || true
    fi
    apt update --error-on=any
    grep -q -- "-security" <(apt-cache policy) ||
        refuse "apt has no source of security updates; add $DISTRIBUTION's to /etc/apt/sources.list.d."
    if [[ $DISTRIBUTION == debian ]]; then
        apt upgrade --with-new-pkgs
    else
        # The vendor has matched its kernel and driver, and takes a new kernel when it has a driver for it.
        apt upgrade
    fi
    apt install "${PACKAGES[@]}" "python$PYTHON" "python$PYTHON-venv"
}

install_agents() {
    step "Installing Amazon's agents"
    WORK=$(mktemp -d /var/tmp/agents.XXXXXX)
    trap 'rm -rf "$WORK"' EXIT
    chmod 755 "$WORK" # for apt's own user
    # Ubuntu's SSM agent is a snap, which updates itself, and beside which ours refuses to be installed. It goes on
    # until the bake ends, as the bake may have been started through it, and does not start again.
    if [[ -d /run/systemd/system ]] && command -v snap >/dev/null; then
        SYSTEMD_OFFLINE=0 systemctl stop snapd.socket snapd.service
        systemctl --quiet disable snap.amazon-ssm-agent.amazon-ssm-agent.service || true
    fi
    local amazon=https://amazoncloudwatch-agent.s3.amazonaws.com
    install_agent amazon-cloudwatch-agent "$CLOUDWATCH_AGENT_VERSION" "$CLOUDWATCH_AGENT_KEY" \
        "$amazon/$DISTRIBUTION/amd64/$CLOUDWATCH_AGENT_VERSION" "$amazon/assets/amazon-cloudwatch-agent.gpg"
    install_agent amazon-ssm-agent "$SSM_AGENT_VERSION" "$SSM_AGENT_KEY" \
        "https://s3.amazonaws.com/ec2-downloads-windows/SSMAgent/$SSM_AGENT_VERSION/debian_amd64"
}

# NAME VERSION FINGERPRINT URL [KEY-URL]. A key that is not in keys/ is taken from where it is published, as its
# fingerprint tells whether it is the right one. Nothing is unpacked before it is verified.
install_agent() {
    local name=$1 url=$4 key_url=${5-} key="${AGENTS_KEYS:-$RELEASE/ami/keys}/$1.asc" file="$WORK/$1.deb" signer
    [[ -z ${AGENTS_URL-} ]] || url=$AGENTS_URL/$name/$2 key_url=$AGENTS_URL/$name/$name.asc
    fetch "$url/$name.deb" "$file"
    fetch "$url/$name.deb.sig" "$file.sig"
    if [[ ! -f $key ]]; then
        key=$WORK/$name.asc
        fetch "$key_url" "$key"
    fi
    # gpgv, which every apt brings, wants keys without their armour.
    if grep -q '^-----BEGIN' "$key"; then
        tr -d '\r' <"$key" | sed -n '/^$/,/^=/{/^[^=]/p}' | base64 --decode >"$file.key"
    else
        cp "$key" "$file.key"
    fi
    signer=$(gpgv --status-fd 1 --keyring "$file.key" "$file.sig" "$file" 2>/dev/null |
        awk '$2 == "VALIDSIG" {print $NF}') || refuse "The signature of $url/$name.deb is not valid; it was not installed."
    [[ -n ${AGENTS_KEYS-} || $signer == "$3" ]] ||
        refuse "$url/$name.deb is signed with $signer, and not with $3, as versions.env has it; it was not installed."
    apt install --allow-downgrades --reinstall "$file"
}

# With what apt fetches with, so that no other program is needed, and proxies are set in one place.
fetch() {
    /usr/lib/apt/apt-helper download-file "$1" "$2" >/dev/null 2>"$WORK/error" ||
        refuse "$1 cannot be fetched: $(sed -n 's/^E: Failed to fetch [^ ]* *//p' "$WORK/error"); AGENTS_URL may name a mirror."
}

install_environment() {
    step "Installing Python packages"
    local pip=("$VENV/bin/python" -m pip --isolated --quiet --disable-pip-version-check --no-input --no-cache-dir)
    local install=("${pip[@]}" install --no-index --no-deps --no-compile --only-binary=:all:)
    "python$PYTHON" -m venv --clear $VENV
    "${pip[@]}" uninstall --yes setuptools
    "${install[@]}" --find-links "$RELEASE/wheels" --require-hashes --requirement "$RELEASE/requirements/$ROLE.txt"
    "${install[@]}" "$RELEASE"/wheels/photofleet-*.whl
    "${pip[@]}" check
    "${pip[@]}" uninstall --yes pip
    rm -f $VENV/bin/{activate*,Activate.ps1}
    # Compiled now, as no program of ours may write there. Never compared with its source again: nothing changes it.
    # Packages may bring a file for a newer Python, which cannot be compiled, and which nobody imports.
    $VENV/bin/python -m compileall -qq -j 0 --invalidation-mode unchecked-hash $VENV/lib || true
    # What would be missing beside the packages, such as a library of the system, is found out now.
    local programs=ami.boot,photofleet.cli
    [[ -n $(find $VENV/lib -path '*/photofleet/__pycache__/settings.*.pyc') ]] ||
        refuse "Python's packages could not be compiled; the lines above say why."
    case $ROLE in
        web) programs+=,webapp.application,gunicorn.app.wsgiapp ;;
        resize) programs+=,workers.resize.renditions,workers.drain.watch ;;
        label-*) programs+=,workers.label.preparation,workers.drain.watch ;;
    esac
    $VENV/bin/python -I -c "import $programs"
}

install_files() {
    step "Installing files"
    local folder file mode
    # What an earlier release put here, and this one may not have any more.
    [[ ! -f $HOME_FOLDER/files.txt ]] || xargs --delimiter '\n' rm -f <$HOME_FOLDER/files.txt
    : >$HOME_FOLDER/files.txt
    for folder in "$RELEASE/ami/image" "$RELEASE/ami/image-$ROLE"; do
        [[ -d $folder ]] || continue
        while IFS= read -r -d '' file; do
            mode=644
            [[ $file != usr/local/sbin/* ]] || mode=755
            install -D --owner root --group root --mode $mode "$folder/$file" "/$file"
            echo "/$file" >>$HOME_FOLDER/files.txt
        done < <(find "$folder" -type f -printf '%P\0')
    done
    # Those of the site's own database, too, where files above brought any.
    update-ca-certificates >/dev/null
    cat "$RELEASE/ami/database-ca.pem" /etc/ssl/certs/ca-certificates.crt >/etc/photofleet/database-ca.pem
    install --mode 644 "$RELEASE/manifest.json" $HOME_FOLDER/manifest.json
    install --mode 644 "$RELEASE/sbom/$ROLE.cdx.json" $HOME_FOLDER/sbom.cdx.json
    echo "$ROLE" >$HOME_FOLDER/role
    echo "$RELEASE_VERSION" >$HOME_FOLDER/version
}

# What the label fleet labels with, and the settings that lead to it, which the boot hands on to its programs.
install_network() {
    local models=$HOME_FOLDER/models settings=$HOME_FOLDER/label.env weights=${PHOTOFLEET_LABEL_WEIGHTS-}
    rm -rf $models $settings
    [[ $ROLE == label-* ]] || return 0
    step "Making the network ready"
    mkdir $models
    if [[ $weights == /* ]]; then
        install --mode 644 --target-directory $models "$weights"
        case $weights in
            *.pt | *.pt2) install --mode 644 --target-directory $models "${weights%.*}".{toml,txt} ;;
        esac
        export PHOTOFLEET_LABEL_WEIGHTS=$models/${weights##*/}
    fi
    # To which a network in S3 is fetched, now and never again.
    export PHOTOFLEET_LABEL_CACHE=$models
    env | grep -E '^PHOTOFLEET_LABEL_(CACHE|MODEL|WEIGHTS|WEIGHTS_SHA256)=.' | sort >$settings
    # What a GPU needs is found out where there is one.
    [[ $ROLE == label-gpu ]] || $VENV/bin/photofleet models prepare
    # No fleet is to label with what does not see what is there.
    $VENV/bin/photofleet models check
}

configure() {
    step "Configuring the system"
    systemd-sysusers /etc/sysusers.d/photofleet.conf
    systemctl --quiet set-default multi-user.target
    systemctl --quiet enable photofleet-boot.service photofleet-log.service systemd-timesyncd.service \
        amazon-cloudwatch-agent.service amazon-ssm-agent.service
    # The boot writes what the CloudWatch agent is to do. The orders that the base may have for it would be added to that.
    rm -rf /opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.{json,d}
    mkdir -p /opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.d
    systemctl --quiet mask "${MASKED[@]}"
}

# What belongs to the bake, or to the one machine that it ran on.
clean() {
    step "Cleaning up"
    if [[ $DISTRIBUTION == debian ]]; then
        # The base of the other role is its vendor's to tidy up.
        apt purge --auto-remove "python$PYTHON-venv"
    fi
    apt clean
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/lib/dpkg/*-old
    cloud-init clean --logs
    # Whom cloud-init made on the machine of the bake.
    for user in admin ubuntu; do
        ! id "$user" &>/dev/null || passwd --quiet --lock "$user"
    done
    rm -rf /var/lib/amazon/ssm/Vault
    rm -f /etc/netplan/50-cloud-init.yaml /etc/sudoers.d/90-cloud-init-users
    rm -f /etc/ssh/ssh_host_* /var/lib/systemd/{random-seed,credential.secret}
    rm -rf /root/{.ssh,.cache,.bash_history} /home/*/{.ssh,.cache,.bash_history}
    # The machine goes on meanwhile: files come and go.
    find /var/log -ignore_readdir_race -type f -delete
    rm -rf /var/log/journal/*
    # Empty, and not "uninitialized": on what systemd takes for a first boot, it enables every unit that there is.
    : >/etc/machine-id
    rm -f /var/lib/dbus/machine-id && ln -s /etc/machine-id /var/lib/dbus/machine-id
    find / -xdev -ignore_readdir_race \( -type f -o -type d ! -perm -1000 \) -perm -0002 -exec chmod o-w {} +
    dpkg-query --show --showformat '${Package} ${Version} ${Architecture}\n' >$HOME_FOLDER/packages.txt
}

# At the end, so that bash has read all of it before it does anything. Tests read it without running it.
[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
