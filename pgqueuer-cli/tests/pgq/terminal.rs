//! The dashboard on a terminal of its own, which `script` makes: in which nobody answers what is asked.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{Read as _, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::support::{Database, pgq};

/// Longer than it takes on a machine that is busy.
const LONG: Duration = Duration::from_secs(30);

struct Terminal {
    script: Child,
    keys: ChildStdin,
    /// Where its exit code comes.
    code: PathBuf,
    /// What it was told to show, and has not been looked at.
    parts: mpsc::Receiver<Vec<u8>>,
}

impl Terminal {
    /// Until the dashboard is on it.
    fn open(database: &Database, name: &str) -> Self {
        let code = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_file(&code);
        let command = pgq(&[]);
        // The shell outlives its terminal, to tell how the program has ended.
        let shell = r#"stty rows 24 cols 80; trap : HUP; "$PGQ" dashboard; echo $? > "$CODE""#;
        let mut script = Command::new("script");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        let script = script
            .args(["--quiet", "--command", shell, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .env("PGQ", command.get_program())
            .env("CODE", &code)
            .env("DATABASE_URL", &database.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut script = script.spawn().unwrap();
        let keys = script.stdin.take().unwrap();
        let mut screen = script.stdout.take().unwrap();
        let (to, parts) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let _ = to.send(bytes[..count].to_vec());
            }
        });
        let terminal = Self {
            script,
            keys,
            code,
            parts,
        };
        terminal.is_drawn();
        terminal
    }

    /// Waits until the whole screen has been drawn once more; what changes on it is less.
    fn is_drawn(&self) {
        let mut shown = String::new();
        while !shown.contains("1 kinds") {
            let part = self.parts.recv_timeout(LONG);
            let part = part.unwrap_or_else(|_| panic!("{shown}"));
            shown += &String::from_utf8_lossy(&part);
        }
    }

    fn exit_code(mut self) -> i32 {
        let began = Instant::now();
        let code = loop {
            let text = fs::read_to_string(&self.code).unwrap_or_default();
            if let Ok(code) = text.trim().parse() {
                break code;
            }
            assert!(began.elapsed() < LONG, "it goes on");
            thread::sleep(Duration::from_millis(50));
        };
        let _ = self.script.kill();
        self.script.wait().unwrap();
        code
    }
}

/// Whether the signal comes first or the error: it ends in order, and is not aborted.
#[tokio::test]
async fn a_terminal_that_is_closed_ends_it() {
    let database = Database::installed().await;
    let mut terminal = Terminal::open(&database, "closed");
    terminal.script.kill().unwrap();
    let code = terminal.exit_code();
    assert!(code < 128, "{code}");
}

#[tokio::test]
async fn what_is_drawn_anew_needs_no_answer() {
    let database = Database::installed().await;
    let mut terminal = Terminal::open(&database, "anew");
    terminal.keys.write_all(b"\x0c").unwrap();
    // For an answer it would wait two seconds, and end.
    terminal.is_drawn();
    terminal.keys.write_all(b"q").unwrap();
    assert_eq!(terminal.exit_code(), 0);
}
