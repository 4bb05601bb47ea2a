//! Where the database is: the hosts of a URL.
//!
//! sqlx knows URLs of one host. So only the list of hosts is parsed here, and a URL is made of
//! each for sqlx to parse.

use std::{borrow::Cow, fmt, str::FromStr};

use sqlx::postgres::PgConnectOptions;

use crate::error::{Error, Result};

/// Where the database is: one host, or several, of which one takes writes.
///
/// Parsed from a URL as libpq has it. Of several hosts, the one that takes writes is used, and the
/// next that does when that one is gone:
///
/// ```
/// use pgqueuer::Hosts;
///
/// # fn main() -> pgqueuer::Result<()> {
/// let hosts: Hosts = "postgres://app:secret@db1,db2:5433,[::1]/app".parse()?;
/// assert_eq!(hosts.to_string(), "database \"app\" at db1:5432, db2:5433, [::1]:5432");
///
/// // Folders of sockets, and one port for all.
/// let hosts: Hosts = "postgres:///app?host=/run/pg1,/run/pg2&port=5433".parse()?;
/// # assert!(hosts.only().is_none());
/// # Ok(())
/// # }
/// ```
///
/// With several hosts, `target_session_attrs` may be `read-write` or `primary`, which mean the same
/// here and are the default; others are refused, and so are `hostaddr` and
/// `load_balance_hosts=random`.
///
/// Shown without user and password.
#[derive(Clone)]
pub struct Hosts(Vec<PgConnectOptions>);

impl Hosts {
    /// How to connect, if there is one host only.
    #[must_use]
    pub fn only(&self) -> Option<&PgConnectOptions> {
        match self.0.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    pub(super) fn first(&self) -> &PgConnectOptions {
        self.0.first().expect("a list has at least one item")
    }

    /// How to connect to each, in the order of the URL. There is at least one.
    pub(super) fn all(&self) -> &[PgConnectOptions] {
        &self.0
    }
}

/// Host and port, or the folder of the socket and port.
pub(super) fn address(options: &PgConnectOptions) -> String {
    let port = options.get_port();
    match (options.get_socket(), options.get_host()) {
        (Some(folder), _) => format!("{}:{port}", folder.display()),
        (None, ipv6) if ipv6.contains(':') => format!("[{ipv6}]:{port}"),
        (None, host) => format!("{host}:{port}"),
    }
}

/// Has sqlx parse the URL of one host.
fn parse(url: &str) -> Result<PgConnectOptions> {
    let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| {
        Error::config("the database URL is not valid; write postgres://user:password@host/database")
            .because(error)
    })?;
    // sqlx leaves the brackets on, and then looks for a host of that name.
    let host = without_brackets(options.get_host()).to_owned();
    Ok(if host == options.get_host() {
        options
    } else {
        options.host(&host)
    })
}

impl From<PgConnectOptions> for Hosts {
    fn from(options: PgConnectOptions) -> Self {
        Self(vec![options])
    }
}

impl FromStr for Hosts {
    type Err = Error;

    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it is no URL of PostgreSQL, or asks for
    /// something that is not supported. No part of the URL is in the message.
    fn from_str(url: &str) -> Result<Self> {
        match Parts::of(url) {
            Some(parts) if parts.name_several() => {
                let urls = parts.urls()?;
                let options = urls.iter().map(|it| parse(it));
                options.collect::<Result<_>>().map(Self)
            }
            _ => Ok(Self::from(parse(url)?)),
        }
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.first();
        let database = first.get_database();
        let database = database.unwrap_or_else(|| first.get_username());
        write!(f, "database \"{database}\" at ")?;
        for (index, options) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", address(options))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hosts({self})")
    }
}

/// A URL, taken apart. All is still percent-encoded.
#[derive(Debug, Default)]
struct Parts<'a> {
    scheme: &'a str,
    /// With its password, and `@`.
    user: &'a str,
    /// `host:port,host:port`.
    listed: &'a str,
    /// With its slash.
    database: &'a str,
    host: Option<&'a str>,
    hostaddr: Option<&'a str>,
    port: Option<&'a str>,
    target: Option<&'a str>,
    balance: Option<&'a str>,
    /// What sqlx knows, or warns of.
    others: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    /// `None` if it is no URL.
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let rest = rest.split_once('#').map_or(rest, |(rest, _fragment)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, listed) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let mut parts = Self {
            scheme,
            user,
            listed,
            database,
            ..Self::default()
        };
        for pair in query.split('&').filter(|it| !it.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "host" => parts.host = Some(value),
                "hostaddr" => parts.hostaddr = Some(value),
                "port" => parts.port = Some(value),
                "target_session_attrs" => parts.target = Some(value),
                "load_balance_hosts" => parts.balance = Some(value),
                _ => parts.others.push(pair),
            }
        }
        Some(parts)
    }

    fn name_several(&self) -> bool {
        let lists = [Some(self.listed), self.host, self.hostaddr, self.port];
        lists.into_iter().flatten().any(|it| items(it).len() > 1)
    }

    /// A URL for each host.
    fn urls(&self) -> Result<Vec<String>> {
        self.check()?;
        let listed = items(self.listed);
        let (listed, its_ports): (Vec<_>, Vec<_>) = listed.iter().map(|it| split_port(it)).unzip();
        let named = self.host.map(items);
        let hosts = match &named {
            Some(named) => named.iter().map(|it| without_brackets(it)).collect(),
            None => listed,
        };
        let given = self.port.map(items);
        let ports = match &given {
            Some(given) => given.iter().map(|it| &**it).collect(),
            None => its_ports,
        };
        if ports.len() != 1 && ports.len() != hosts.len() {
            return Err(Error::config(format!(
                "the database URL names {} hosts and {} ports; give one port for each host, or \
                 one for all",
                hosts.len(),
                ports.len()
            )));
        }
        let ports = ports.iter().cycle();
        let places = hosts.iter().zip(ports).enumerate();
        places
            .map(|(index, (host, port))| self.url(index + 1, host, port))
            .collect()
    }

    /// Refuses what makes no sense for a queue, or what sqlx cannot do.
    fn check(&self) -> Result<()> {
        if self.hostaddr.is_some() {
            return Err(Error::config(
                "the database URL names several hosts, and `hostaddr`, which goes with one only; \
                 write the addresses as hosts",
            ));
        }
        if !matches!(self.target, None | Some("read-write" | "primary")) {
            return Err(Error::config(
                "the `target_session_attrs` of the database URL are of a host that need not take \
                 writes, and a queue is written to; write `read-write`, or leave them out",
            ));
        }
        if !matches!(self.balance, None | Some("disable")) {
            return Err(Error::config(
                "the `load_balance_hosts` of the database URL cannot be done, since only one host \
                 takes writes; leave it out",
            ));
        }
        Ok(())
    }

    /// Nothing of the URL is in the messages: what looks like a host may be a part of a password
    /// that was not percent-encoded.
    fn url(&self, number: usize, host: &str, port: &str) -> Result<String> {
        if host.is_empty() {
            return Err(Error::config(format!(
                "host {number} of the database URL is empty; write host:port,host:port, with IPv6 \
                 addresses in brackets"
            )));
        }
        if !port.is_empty() && !port.parse::<u16>().is_ok_and(|it| it > 0) {
            return Err(Error::config(format!(
                "the port of host {number} of the database URL is not a number from 1 to 65535"
            )));
        }
        let mut url = format!("{}://{}{}", self.scheme, self.user, encode(host));
        if !port.is_empty() {
            url += ":";
            url += port;
        }
        url += self.database;
        if !self.others.is_empty() {
            url += "?";
            url += &self.others.join("&");
        }
        Ok(url)
    }
}

/// The items of a list, whose commas may be percent-encoded.
fn items(list: &str) -> Vec<String> {
    let list = list.replace("%2C", ",").replace("%2c", ",");
    list.split(',').map(str::to_owned).collect()
}

/// `host:port`, `[address]:port`, or without the port.
fn split_port(item: &str) -> (&str, &str) {
    let bracketed = item.strip_prefix('[').and_then(|it| it.split_once(']'));
    match bracketed.filter(|(address, _)| address.contains(':')) {
        Some((address, rest)) if rest.is_empty() || rest.starts_with(':') => {
            (address, rest.trim_start_matches(':'))
        }
        _ => item.split_once(':').unwrap_or((item, "")),
    }
}

fn without_brackets(host: &str) -> &str {
    let inner = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    inner.filter(|it| it.contains(':')).unwrap_or(host)
}

/// As a URL has a host: the slashes of a folder encoded, an IPv6 address in brackets. What is
/// encoded already stays so.
fn encode(host: &str) -> Cow<'_, str> {
    if host.starts_with('/') {
        Cow::Owned(host.replace('/', "%2F").replace(':', "%3A"))
    } else if host.contains(':') {
        Cow::Owned(format!("[{host}]"))
    } else {
        Cow::Borrowed(host)
    }
}

#[cfg(test)]
mod tests;
