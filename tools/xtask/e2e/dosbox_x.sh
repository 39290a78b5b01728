#!/bin/sh
# DOSBox-X for Debian 12 and its likes, which have no package of it: Debian 13's, with all the libraries that it
# needs, unpacked into a directory of their own. Nothing is installed, and nobody has to be root.
#
# sh dosbox_x.sh DIR      makes DIR/dosbox-x, which starts it
set -e
mkdir -p "$1/root" "$1/apt/lists/partial" "$1/apt/archives/partial"
cd "$1"
here=$(pwd)
mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep '/debian/*$' | head -n 1)
if [ -z "$mirror" ]; then
    echo "no mirror of Debian's in apt's sources: install dosbox-x otherwise" >&2
    exit 1
fi
echo "deb $mirror trixie main" > apt/sources.list
# As if nothing were installed, so that the libraries come, too.
: > apt/status
get() {
    apt-get -q -y -o Dir::Etc::SourceList="$here/apt/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$here/apt/lists" -o Dir::State::status="$here/apt/status" -o Dir::Cache="$here/apt" \
        -o APT::Update::Error-Mode=any -o Debug::NoLocking=true "$@"
}
get update
get install --download-only --no-install-recommends dosbox-x
for package in apt/archives/*.deb; do
    dpkg-deb -x "$package" root
done
rm -r apt
# They need their own C library, and so its loader.
cat > dosbox-x << 'END'
#!/bin/sh
root=$(dirname "$0")/root
for libraries in "$root"/usr/lib/*-linux-gnu*; do
    break
done
exec "$libraries"/ld-linux*.so.? --library-path "$libraries:$libraries/pulseaudio:$libraries/blas:$libraries/lapack" \
    "$root/usr/bin/dosbox-x" "$@"
END
chmod +x dosbox-x
