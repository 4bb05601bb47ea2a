use super::*;

fn addresses(url: &str) -> Vec<String> {
    let hosts: Hosts = url.parse().unwrap();
    hosts.all().iter().map(address).collect()
}

fn refused(url: &str) -> String {
    url.parse::<Hosts>().unwrap_err().to_string()
}

#[test]
fn each_host_may_have_a_port() {
    assert_eq!(
        addresses("postgres://u@a:1,b,c:3/db"),
        ["a:1", "b:5432", "c:3"]
    );
    assert_eq!(addresses("postgresql://a:1,b:2"), ["a:1", "b:2"]);
    assert_eq!(addresses("postgres://u@a%2Cb:2/db"), ["a:5432", "b:2"]);
}

#[test]
fn parameters_say_the_same() {
    let named = "postgres:///db?user=u&host=a,b";
    assert_eq!(addresses(named), ["a:5432", "b:5432"]);
    assert_eq!(addresses(&format!("{named}&port=7")), ["a:7", "b:7"]);
    assert_eq!(addresses(&format!("{named}&port=7,8")), ["a:7", "b:8"]);
    assert_eq!(addresses(&format!("{named}&port=7,")), ["a:7", "b:5432"]);
    assert_eq!(addresses("postgres://a:1,b/db?port=7"), ["a:7", "b:7"]);
    assert_eq!(addresses("postgres://x:7/db?host=a,b"), ["a:7", "b:7"]);
}

#[test]
fn addresses_and_folders_are_hosts() {
    assert_eq!(
        addresses("postgres://[::1]:1,[fe80::2],127.0.0.1:3/db"),
        ["[::1]:1", "[fe80::2]:5432", "127.0.0.1:3"]
    );
    assert_eq!(
        addresses("postgres:///db?host=::1,[::2]"),
        ["[::1]:5432", "[::2]:5432"]
    );
    let folders = ["/run/a:1/:7", "/run/b c/:7"];
    assert_eq!(
        addresses("postgres:///db?host=/run/a:1/,%2Frun%2Fb%20c%2F&port=7"),
        folders
    );
    assert_eq!(
        addresses("postgres://u@%2Frun%2Fa%3A1%2F:7,%2Frun%2Fb%20c%2F:7/db"),
        folders
    );
}

/// With brackets, it would be looked up as a name.
#[test]
fn an_ipv6_address_is_handed_on_without_brackets() {
    for url in ["postgres://[::1]/db", "postgres://[::1],b/db"] {
        let hosts: Hosts = url.parse().unwrap();
        assert_eq!(hosts.first().get_host(), "::1", "{url}");
    }
}

#[test]
fn all_else_is_the_same_for_each() {
    let url = "postgres://u%40x:p%2C%40%2Fss@a,b:2/d%20b?sslmode=require\
               &target_session_attrs=read-write&application_name=x&load_balance_hosts=disable#f";
    let hosts: Hosts = url.parse().unwrap();
    assert_eq!(hosts.all().len(), 2);
    for (options, host) in hosts.all().iter().zip(["a:5432", "b:2"]) {
        let alone = format!(
            "postgres://u%40x:p%2C%40%2Fss@{host}/d%20b?sslmode=require&application_name=x"
        );
        let alone: PgConnectOptions = alone.parse().unwrap();
        assert_eq!(format!("{options:?}"), format!("{alone:?}"));
        assert_eq!(options.get_username(), "u@x");
        assert_eq!(options.get_database(), Some("d b"));
    }
}

#[test]
fn one_host_is_left_to_sqlx() {
    for url in [
        "postgres://u:p,w@a:1/db?target_session_attrs=any",
        "postgres://u:p@/db?host=%2Frun&port=7",
        "postgres:///db?hostaddr=127.0.0.1",
        "postgres://u:p,w@a/d,b?options=-c%20search_path%3Da,b",
    ] {
        let Ok(theirs) = url.parse::<PgConnectOptions>() else {
            assert!(url.parse::<Hosts>().is_err(), "{url}");
            continue;
        };
        let ours: Hosts = url.parse().unwrap();
        let ours = ours.only().expect("one host");
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let ports = refused("postgres:///db?host=a,b,c&port=1,2");
    assert!(ports.contains("3 hosts and 2 ports"), "{ports}");
    assert!(refused("postgres://a/db?port=1,2").contains("1 hosts and 2 ports"));
    assert!(refused("postgres://a,,b/db").contains("host 2 of the database URL is empty"));
    assert!(refused("postgres://::1,::2/db").contains("in brackets"));
    assert!(refused("postgres://a:1,b:x/db").contains("port of host 2"));
    assert!(refused("postgres://a:0,b/db").contains("from 1 to 65535"));
    assert!(refused("postgres://[::1]1,b/db").contains("port of host 1"));
    assert!(refused("postgres://[x],b/db").contains("is not valid"));
}

#[test]
fn what_is_not_supported_is_refused() {
    for attributes in ["any", "read-only", "standby", "prefer-standby", ""] {
        let url = format!("postgres://a,b/db?target_session_attrs={attributes}");
        assert!(refused(&url).contains("write `read-write`"), "{url}");
    }
    assert!(refused("postgres:///db?hostaddr=1.1.1.1,1.1.1.2").contains("`hostaddr`"));
    assert!(refused("postgres://a,b/db?load_balance_hosts=random").contains("leave it out"));
}

#[test]
fn nobody_is_told_the_password() {
    let url = "postgres://u:s3cret@a,b/db";
    let hosts: Hosts = url.parse().unwrap();
    assert_eq!(
        format!("{hosts:?}"),
        "Hosts(database \"db\" at a:5432, b:5432)"
    );
    for url in [
        // Not percent-encoded, so that a part of it looks like a host and a port.
        "postgres://u:s3,cret/x@a,b/db",
        "postgres://u:s3cret@a,b:x/db",
        "postgres://u:s3cret@[x],b/db",
        "postgres://u:s3cret@a,b/db?sslmode=x",
    ] {
        let error = url.parse::<Hosts>().unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(!told.contains("s3") && !told.contains("cret"), "{told}");
    }
}
