//! The wildcards of policies: `*` matches any text, even an empty one, and `?` any single character.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>

/// Returns whether `pattern` matches `text`.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut in_pattern, mut in_text) = (0, 0);
    // After the last `*`: the position in the pattern, and in the text if the `*` matches no more.
    let mut last_star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(in_pattern) {
            Some('*') => {
                in_pattern += 1;
                last_star = Some((in_pattern, in_text));
            }
            Some(&expected) if expected == '?' || expected == text[in_text] => {
                in_pattern += 1;
                in_text += 1;
            }
            _ => {
                let Some((after_star, from)) = last_star else {
                    return false;
                };
                in_pattern = after_star;
                in_text = from + 1;
                last_star = Some((after_star, in_text));
            }
        }
    }
    pattern[in_pattern..].iter().all(|&rest| rest == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_match_as_iam_documents() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything:at/all", true),
            ("a*c", "abbc", true),
            ("a*c", "ac", true),
            ("a*c", "abcd", false),
            ("*b*b", "abab", true),
            ("*ab", "aab", true),
            ("table/T", "table/T/index/I", false),
            ("table/T/index/*", "table/T/index/I", true),
            ("table/T/index/*", "table/T", false),
            ("us-east-?", "us-east-1", true),
            ("us-east-?", "us-east-", false),
            ("??", "é€", true),
            ("T", "t", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_match_in_bounded_time() {
        let text = "a".repeat(10_000);
        assert!(!matches(&"*a".repeat(100).replace("*a", "*aa*"), "ab"));
        assert!(!matches(&format!("{}b", "*a".repeat(50)), &text));
    }
}
