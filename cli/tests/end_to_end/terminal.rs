//! `herald connect` at a terminal: a pseudoterminal, on which the test types and reads.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    process::Stdio,
    thread,
};

use herald_local::Authentication;
use nix::{
    pty::{Winsize, openpty},
    sys::termios::{LocalFlags, tcgetattr},
};
use tempfile::TempDir;
use tokio::{process::Child, sync::mpsc};

use crate::harness::{Herald, TestStack, herald, in_time};

const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";
const ENTER: &str = "\r";
const UP: &str = "\u{1b}[A";

/// A terminal with a program in it.
struct Terminal {
    keyboard: File,
    screen: mpsc::UnboundedReceiver<Vec<u8>>,
    /// What was shown and not looked at yet.
    shown: Vec<u8>,
    /// Everything that was shown, with its colours.
    everything: Vec<u8>,
    /// The program's end.
    line: OwnedFd,
    child: Child,
    _home: TempDir,
}

impl Terminal {
    fn start(herald: Herald) -> Self {
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(Some(&size), None).expect("a pseudoterminal");
        let end = || Stdio::from(pair.slave.try_clone().expect("a descriptor"));
        let Herald { mut command, home } = herald;
        command.env("TERM", "xterm-256color");
        command.stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("the binary");
        let keyboard = File::from(pair.master);
        let mut display = keyboard.try_clone().expect("a descriptor");
        let (sender, screen) = mpsc::unbounded_channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = display.read(&mut bytes) {
                let _ = sender.send(bytes[..length].to_vec());
            }
        });
        Self {
            keyboard,
            screen,
            shown: Vec::new(),
            everything: Vec::new(),
            line: pair.slave,
            child,
            _home: home,
        }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("it reads");
    }

    /// Waits until these words are shown, after those that were waited for before.
    async fn shows(&mut self, words: &str) {
        in_time(words, async {
            loop {
                let text = String::from_utf8_lossy(&self.shown);
                let text = anstream::adapter::strip_str(&text).to_string();
                if let Some(at) = text.find(words) {
                    self.shown = text[at + words.len()..].into();
                    return;
                }
                let more = self.screen.recv().await.expect("it is not over");
                self.everything.extend(&more);
                self.shown.extend(more);
            }
        })
        .await;
    }

    /// Whether the terminal edits lines itself, as a shell wants it to.
    fn is_as_it_was(&self) -> bool {
        let modes = tcgetattr(&self.line).expect("a terminal");
        modes
            .local_flags
            .contains(LocalFlags::ICANON | LocalFlags::ECHO)
    }

    async fn exit_code(&mut self) -> Option<i32> {
        let status = in_time("herald ended", self.child.wait()).await;
        status.expect("a status").code()
    }
}

#[tokio::test]
async fn frames_that_arrive_leave_the_line_whole_that_is_typed() {
    let stack = TestStack::start(Authentication::Open).await;
    let mut terminal = Terminal::start(stack.herald(&["connect", "order-1"]));
    terminal.shows("Ctrl-D ends").await;
    terminal
        .shows(r#"{"type":"ack","action":"subscribe","entityId":"order-1"}"#)
        .await;
    terminal.types("echo Hel");
    terminal.shows("echo Hel").await;
    stack
        .done(&["publish", "--entity", "order-1", "in between"])
        .await;
    terminal.shows(r#""message": "in between""#).await;
    terminal.types("lo");
    terminal.types(ENTER);
    terminal
        .shows(r#"> {"action":"sendMessage","message":"Hello"}"#)
        .await;
    terminal
        .shows(r#"< {"type":"message","message":"Hello"}"#)
        .await;
    terminal.types(&format!("beep{ENTER}"));
    terminal
        .shows(r#""beep" is neither a command nor JSON"#)
        .await;
    stack.running.gateway().close_all();
    terminal.shows("trying again in").await;
    terminal.shows("connected again").await;
    terminal
        .shows(r#"{"type":"ack","action":"subscribe","entityId":"order-1"}"#)
        .await;
    terminal.types(CTRL_D);
    assert_eq!(terminal.exit_code().await, Some(0));
    stack.stop().await;
}

#[tokio::test]
async fn lines_are_remembered_but_for_those_with_a_token() {
    let stack = TestStack::start(Authentication::Open).await;
    let state = TempDir::new().expect("a folder");
    let folder = state.path().to_str().expect("a path");
    let herald = || {
        stack
            .herald(&["connect"])
            .variable("XDG_STATE_HOME", folder)
    };
    let mut first = Terminal::start(herald());
    first.shows("Ctrl-D ends").await;
    for (line, reply) in [
        ("echo remembered", r#""message":"remembered""#),
        (
            r#"{"action":"authenticate","token":"secret"}"#,
            "bad_request",
        ),
    ] {
        first.types(&format!("{line}{ENTER}"));
        first.shows("< {").await;
        first.shows(reply).await;
    }
    first.types(CTRL_C);
    assert_eq!(first.exit_code().await, Some(130));

    let mut second = Terminal::start(herald());
    second.shows("Ctrl-D ends").await;
    second.types(UP);
    second.shows("echo remembered").await;
    second.types(ENTER);
    second
        .shows(r#"< {"type":"message","message":"remembered"}"#)
        .await;
    second.types(CTRL_D);
    assert_eq!(second.exit_code().await, Some(0));
    let history = std::fs::read_to_string(state.path().join("herald/history"));
    assert!(!history.expect("a file").contains("secret"));
    stack.stop().await;
}

#[tokio::test]
async fn the_servers_goodbye_leaves_the_terminal_as_it_was() {
    let stack = TestStack::start(Authentication::Secret).await;
    let mut terminal = Terminal::start(stack.herald(&["connect", "--as", "alice"]));
    terminal.types(&format!("ping{ENTER}"));
    terminal.shows(r#"{"type":"pong"}"#).await;
    terminal.types("half a li");
    terminal.shows("half a li").await;
    assert!(!terminal.is_as_it_was());
    stack.throw_out("alice", "password changed").await;
    terminal
        .shows("herald: disconnected by the server: password changed")
        .await;
    assert_eq!(terminal.exit_code().await, Some(3));
    assert!(terminal.is_as_it_was());
    stack.stop().await;
}

#[tokio::test]
async fn what_goes_wrong_is_in_red_unless_no_colours_are_wanted() {
    for (no_color, is_coloured) in [("", true), ("1", false)] {
        let herald = herald(&["--endpoint", "https://a", "tail", "a"]);
        let mut terminal = Terminal::start(herald.variable("NO_COLOR", no_color));
        terminal.shows("it begins with http://").await;
        let shown = String::from_utf8_lossy(&terminal.everything);
        assert_eq!(shown.contains("\u{1b}[31m"), is_coloured, "{shown}");
        assert_eq!(terminal.exit_code().await, Some(2));
    }
}
