# The boot of a machine of the lab in a box: its file tree, its boot id, its daemons.
# It runs as the first process (PID 1) in fresh namespaces and stays: it reaps orphans, and its
# death is the machine's power cut. See machine.py, which starts it.
#
# Arguments: NAME DISK SHARE SPOOL BOOT_ID USER [closed:FOLDER|PATH]...
#   DISK   what outlives a power cut: home, etc, crontabs
#   SHARE  what it sees as /vol/lab; SPOOL: as /spool
#   PATH   to be shown at the same place although the folders above are closed
set -eu
umask 022
name=$1 disk=$2 share=$3 spool=$4 boot_id=$5 user=$6
shift 6

hostname "$name"
mount --make-rprivate /
new=$disk/root
mount -t tmpfs -o mode=755 tmpfs "$new"
for path in /*; do
    case $path in
    /home | /proc | /root | /run | /spool | /tmp | /vol | /lost+found) ;;
    *)
        if [ -L "$path" ]; then
            cp --no-dereference "$path" "$new$path"
        elif [ -d "$path" ]; then
            mkdir "$new$path"
            mount --rbind "$path" "$new$path"
        fi
        ;;
    esac
done
mkdir "$new"/{home,proc,root,run,spool,tmp,vol} "$new/home/$user" "$new/vol/lab"
mount -t proc proc "$new/proc"
mount -t tmpfs -o mode=755 tmpfs "$new/run"
mount -t tmpfs -o mode=1777 tmpfs "$new/tmp"
mount -t tmpfs -o mode=1777 tmpfs "$new/dev/shm"
for path; do # the closed folders come first
    case $path in
    closed:*) mount -t tmpfs -o mode=755 tmpfs "$new${path#closed:}" ;;
    *)
        mkdir --parents "$new$path"
        mount --rbind "$path" "$new$path"
        ;;
    esac
done
mount --bind "$disk/home" "$new/home/$user"
mount --bind "$share" "$new/vol/lab"
mount --bind "$spool" "$new/spool"
mount --bind "$disk/crontabs" "$new/var/spool/cron/crontabs"
for file in passwd group hosts hostname; do mount --bind "$disk/etc/$file" "$new/etc/$file"; done
mkdir -p "$new/run/lab" "$new/run/sshd" # where sshd drops its privileges
cp "$disk"/etc/{sshd_config,host_key} "$new/run/lab"
chmod 600 "$new/run/lab/host_key"
echo "$boot_id" >"$new/run/lab/boot_id"
mount --bind "$new/run/lab/boot_id" "$new/proc/sys/kernel/random/boot_id"

cd "$new"
pivot_root . .
umount --lazy . # the old root lay on top of the new one
cd /

ip link set lo up
until ip -4 -brief address show eth0 2>/dev/null | grep -q /; do sleep 0.02; done
/usr/sbin/sshd -D -e -f /run/lab/sshd_config &
until (exec 5<>/dev/tcp/127.0.0.1/22) 2>/dev/null; do sleep 0.02; done
cron -f & # starts what has @reboot in a crontab
touch /run/lab/up
while :; do sleep 1000 & wait $!; done
