//! The generation of passwords, as by Secrets Manager.

use rand::seq::{IndexedRandom, SliceRandom};

use crate::template::PasswordRules;

/// Generates a password that meets the rules.
pub(super) fn generate(rules: &PasswordRules) -> String {
    // A cryptographic generator, seeded by the system.
    let random = &mut rand::rng();
    let all: Vec<char> = rules.kinds.concat().chars().collect();
    let kinds = rules.kinds.iter();
    let kinds: Vec<Vec<char>> = kinds.map(|kind| kind.chars().collect()).collect();
    let mut password: Vec<char> = kinds
        .iter()
        .filter_map(|kind| kind.choose(random).copied())
        .collect();
    while password.len() < rules.length {
        password.extend(all.choose(random));
    }
    password.shuffle(random);
    password.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::generate;
    use crate::template::PasswordRules;

    fn rules(length: usize) -> PasswordRules {
        PasswordRules {
            length,
            kinds: ["abc", "XYZ", "7"].map(str::to_owned).into(),
        }
    }

    #[test]
    fn password_has_its_length_and_characters_and_differs_each_time() {
        let rules = rules(40);
        let password = generate(&rules);
        assert_eq!(password.chars().count(), 40);
        assert!(password.chars().all(|one| "abcXYZ7".contains(one)));
        assert_ne!(generate(&rules), password);
    }

    #[test]
    fn password_has_a_character_of_each_kind() {
        let rules = rules(3);
        for _ in 0..100 {
            let password = generate(&rules);
            for kind in &rules.kinds {
                assert!(password.chars().any(|one| kind.contains(one)), "{password}");
            }
        }
    }
}
