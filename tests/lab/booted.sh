# A machine of the lab that boots for real: its disk, its cable, and systemd as its first process.
# See booted.py, which starts it in mount and network namespaces of its own.
#
# Arguments: NAME DISK TREE SHARE SPOOL USER
#   DISK   what outlives a power cut: home, etc, and what was changed in the tree
#   TREE   the Debian below, never changed
#   SHARE  what it sees as /vol/lab; SPOOL: as /spool
set -eu
umask 022
name=$1 disk=$2 tree=$3 share=$4 spool=$5 user=$6
root=$disk/root

mount --make-rprivate /
mount -t overlay -o "lowerdir=$tree,upperdir=$disk/changed,workdir=$disk/work" overlay "$root"
cp "$disk"/etc/{hostname,hosts} "$root/etc"
install -m 600 "$disk/etc/host_key" "$root/etc/ssh/ssh_host_ed25519_key"
cp "$disk/etc/host_key.pub" "$root/etc/ssh/ssh_host_ed25519_key.pub"
# As an installation leaves it; the user may not write there.
packages=$(echo "$root"/opt/mlq/lib/python3*/site-packages)
[[ -e $packages/mlq/__pycache__ ]] ||
    chroot "$root" /opt/mlq/bin/python -m compileall -q "${packages#"$root"}"/mlq{,_worker,_cli}
mount -t tmpfs tmpfs /run # systemd-nspawn keeps its locks there
umount --lazy /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
until ip -4 -brief address show eth0 2>/dev/null | grep -q /; do sleep 0.02; done

status=133 # what systemd-nspawn exits with when the machine asked for a reboot
while ((status == 133)); do
    echo "== power on"
    status=0
    systemd-nspawn --quiet --boot --directory="$root" --machine="$name" --hostname="$name" \
        --network-namespace-path="/proc/$$/ns/net" --register=no --keep-unit --link-journal=no \
        --console=pipe --resolv-conf=off --timezone=off \
        --bind="$share:/vol/lab" --bind="$spool:/spool" --bind="$disk/home:/home/$user" ||
        status=$?
done
exit "$status"
