//! When handlers began and ended, by one clock: that of the machine.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::Result;

/// Where a worker writes. Each line is written at once, and so whole.
#[derive(Debug)]
pub(crate) struct Log(File);

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Nanoseconds.
    pub(crate) at: u128,
    pub(crate) pid: u32,
    pub(crate) what: String,
    pub(crate) key: String,
    pub(crate) number: i64,
}

pub(crate) fn now() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos()
}

impl Log {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self(
            OpenOptions::new().create(true).append(true).open(path)?,
        ))
    }

    pub(crate) fn write(&self, what: &str, key: &str, number: i64) -> std::io::Result<()> {
        let line = format!("{} {} {what} {number} {key}\n", now(), process::id());
        (&self.0).write_all(line.as_bytes())
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for line in std::fs::read_to_string(path)?.lines() {
        let parts: Vec<&str> = line.splitn(5, ' ').collect();
        let [at, pid, what, number, key] = parts[..] else {
            return Err(format!("a line of the log is broken: {line}").into());
        };
        entries.push(Entry {
            at: at.parse()?,
            pid: pid.parse()?,
            what: what.to_owned(),
            key: key.to_owned(),
            number: number.parse()?,
        });
    }
    entries.sort_by_key(|it| it.at);
    Ok(entries)
}

/// The greatest number that ran at once, of any key. What runs in a process ends with it.
pub(crate) fn most_at_once(entries: &[Entry], killed: &HashMap<u32, u128>) -> usize {
    // Ends come before beginnings of the same moment.
    let mut changes: Vec<(u128, bool, &str)> = Vec::new();
    let mut running: BTreeMap<(u32, i64), &Entry> = BTreeMap::new();
    for entry in entries {
        let run = (entry.pid, entry.number);
        match entry.what.as_str() {
            "began" => {
                changes.push((entry.at, true, &entry.key));
                running.insert(run, entry);
            }
            _ => {
                changes.push((entry.at, false, &entry.key));
                running.remove(&run);
            }
        }
    }
    for entry in running.into_values() {
        let end = killed.get(&entry.pid).copied().unwrap_or(u128::MAX);
        changes.push((end, false, &entry.key));
    }
    changes.sort_unstable();
    let mut now: HashMap<&str, usize> = HashMap::new();
    let mut most = 0;
    for (_, begins, key) in changes {
        let count = now.entry(key).or_default();
        *count = if begins { *count + 1 } else { *count - 1 };
        most = most.max(*count);
    }
    most
}
