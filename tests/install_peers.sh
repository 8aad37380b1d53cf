#!/bin/sh
# Installs the real peers that the tests talk to, from Debian or Ubuntu:
#   dcmtk        storescp, storescu, dsrdump, dcmdump      orthanc    an archive with a REST API
#   dicom3tools  dciodvfy, the checker of DICOM objects    chromium   the browser of the browser tests
# Quick when all of them are there. Where they cannot be installed it says why and ends well: the tests that need
# a missing peer are then skipped, each with that peer's name.
set -u

program_of() {
    case "$1" in
        dcmtk) echo storescp ;;
        dicom3tools) echo dciodvfy ;;
        orthanc) echo Orthanc ;;
        *) echo "$1" ;;
    esac
}

# Orthanc lies in /usr/sbin, which is not on everybody's PATH.
PATH="$PATH:/usr/sbin:/sbin"

missing=""
for package in dcmtk dicom3tools orthanc chromium; do
    command -v "$(program_of "$package")" >/dev/null 2>&1 || missing="$missing $package"
done
if [ -z "$missing" ]; then
    exit 0
fi

skip() {
    echo "peers: not installed:$missing ($1); the tests that need them are skipped" >&2
    exit 0
}

command -v apt-get >/dev/null 2>&1 || skip "there is no apt-get here"
[ "$(id -u)" -eq 0 ] || skip "only root may install packages; run: sudo sh tests/install_peers.sh"

echo "peers: installing$missing" >&2

# A package must not start a server on the machine of whoever runs the tests; tests start their own, on free ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >&2 || skip "apt-get update failed"
for package in $missing; do
    apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
        echo "peers: $package could not be installed; the tests that need it are skipped" >&2
done
case "$missing" in
    *orthanc*) command -v systemctl >/dev/null 2>&1 && systemctl disable orthanc >/dev/null 2>&1 ;;
esac
exit 0
