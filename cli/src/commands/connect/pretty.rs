//! Frames for people: in colour, and over several lines if they are long. Every character of a frame stays
//! as it was sent, but for the space between.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::value::RawValue;

const KEY: Style = AnsiColor::Cyan.on_default();
const TEXT: Style = AnsiColor::Green.on_default();
const OTHER: Style = AnsiColor::Yellow.on_default();

/// A frame in colour; over several lines if it does not fit into `width`. What is no JSON stays as it is.
pub(super) fn pretty(frame: &str, width: usize) -> String {
    if serde_json::from_str::<&RawValue>(frame).is_err() {
        return frame.to_owned();
    }
    let has_lines = frame.chars().count() > width;
    let mut lines = Layout {
        has_lines,
        depth: 0,
        text: String::new(),
    };
    let mut rest = frame;
    while !rest.is_empty() {
        let (token, after) = rest.split_at(token_length(rest));
        lines.add(token, after);
        rest = after;
    }
    lines.text
}

/// The length of the token that valid JSON begins with: a string, a sign, space, or a number or name.
fn token_length(json: &str) -> usize {
    let is_space = |byte: u8| byte.is_ascii_whitespace();
    let is_sign = |byte: u8| b"{}[]:,".contains(&byte);
    let bytes = json.as_bytes();
    match bytes[0] {
        b'"' => 1 + rest_of_string(&bytes[1..]),
        byte if is_sign(byte) => 1,
        byte if is_space(byte) => length(bytes, is_space),
        _ => length(bytes, |byte| !is_space(byte) && !is_sign(byte)),
    }
}

fn length(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    let end = bytes.iter().position(|byte| !belongs(*byte));
    end.unwrap_or(bytes.len())
}

/// The length up to the quotation mark that ends a string, with it.
fn rest_of_string(bytes: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = bytes.iter().position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(bytes.len(), |end| end + 1)
}

struct Layout {
    has_lines: bool,
    depth: usize,
    text: String,
}

impl Layout {
    /// Adds a token, which `after` follows.
    fn add(&mut self, token: &str, after: &str) {
        let is_empty = after.trim_start().starts_with(['}', ']']);
        match token {
            "{" | "[" => {
                self.text.push_str(token);
                self.depth += 1;
                if !is_empty {
                    self.new_line();
                }
            }
            "}" | "]" => {
                self.depth -= 1;
                if !self.text.ends_with(['{', '[']) {
                    self.new_line();
                }
                self.text.push_str(token);
            }
            "," => {
                self.text.push_str(token);
                self.new_line();
            }
            ":" => self
                .text
                .push_str(if self.has_lines { ": " } else { token }),
            token if token.starts_with('"') => {
                let is_key = after.trim_start().starts_with(':');
                self.colour(token, if is_key { KEY } else { TEXT });
            }
            space if space.trim_start().is_empty() => {
                if !self.has_lines {
                    self.text.push_str(space);
                }
            }
            other => self.colour(other, OTHER),
        }
    }

    fn new_line(&mut self) {
        if self.has_lines {
            self.text.push('\n');
            self.text.push_str(&"  ".repeat(self.depth));
        }
    }

    fn colour(&mut self, token: &str, style: Style) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{style}{token}{style:#}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(frame: &str, width: usize) -> String {
        anstream::adapter::strip_str(&pretty(frame, width)).to_string()
    }

    #[test]
    fn a_frame_that_fits_stays_as_it_is() {
        for frame in [
            r#"{"type":"pong"}"#,
            r#"{"message": "Internal server error", "connectionId":"c"}"#,
            r#"[1.0, -2e5 ,null,"\"}\\",{}, [ ]]"#,
            r#""ä""#,
            "no JSON {",
        ] {
            assert_eq!(plain(frame, 80), frame);
        }
    }

    #[test]
    fn a_long_frame_has_a_line_for_each_field() {
        let frame = r#"{"a":[1.0,{"b":"x:{,\\"}],"c": {},"d":[ ]}"#;
        let expected = r#"{
  "a": [
    1.0,
    {
      "b": "x:{,\\"
    }
  ],
  "c": {},
  "d": []
}"#;
        assert_eq!(plain(frame, 10), expected);
    }

    #[test]
    fn names_texts_and_the_rest_have_colours() {
        let expected =
            format!(r#"{{{KEY}"a"{KEY:#}:{TEXT}"b"{TEXT:#},{KEY}"c"{KEY:#}:{OTHER}1{OTHER:#}}}"#);
        assert_eq!(pretty(r#"{"a":"b","c":1}"#, 80), expected);
    }
}
