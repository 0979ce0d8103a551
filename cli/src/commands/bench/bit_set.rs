//! A set of small numbers.

/// A set of numbers, as long as the highest.
#[derive(Clone, Debug, Default)]
pub(super) struct BitSet(Vec<u64>);

impl BitSet {
    /// Returns the number of numbers.
    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Returns true if the set has a number.
    pub(super) fn contains(&self, number: usize) -> bool {
        let word = self.0.get(number / 64).copied().unwrap_or_default();
        word & (1 << (number % 64)) != 0
    }

    /// Adds a number. Returns `false` if the set had it already.
    pub(super) fn insert(&mut self, number: usize) -> bool {
        let (word, bit) = (number / 64, 1 << (number % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_is_inserted_once() {
        let (mut set, mut expected) = (BitSet::default(), 0);
        for number in [1000, 64, 62, 0] {
            assert!(set.insert(number));
            assert!(!set.insert(number));
            expected += 1;
            assert_eq!(set.len(), expected);
            assert!(set.contains(number) && !set.contains(number + 1));
        }
    }
}
