//! Making network passwords: strong enough that nobody guesses one, easy to type on a telephone.

use std::fmt;

use zeroize::Zeroizing;

/// Crockford's base 32 in small letters: no two of its characters look alike.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters beside the hyphens, five bits each.
const LENGTH: usize = 20;
/// Characters between hyphens.
const GROUP: usize = 5;

/// The system gives no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no randomness")]
pub struct NoRandomness;

/// A network password.
#[derive(Clone)]
pub struct NetworkPassword(Zeroizing<String>);

impl NetworkPassword {
    /// Makes one of 100 random bits.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut random = Zeroizing::new([0_u8; LENGTH]);
        getrandom::fill(&mut *random).map_err(|_| NoRandomness)?;
        let mut text = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
        for (index, octet) in random.iter().enumerate() {
            if index > 0 && index % GROUP == 0 {
                text.push('-');
            }
            let chosen = ALPHABET.get(usize::from(octet % 32)).copied();
            text.push(char::from(chosen.unwrap_or_default()));
        }
        Ok(Self(text))
    }

    /// Takes one out of its seal.
    pub(super) fn unsealed(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// The password, to be shown once or computed with.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn for_tests(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for NetworkPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NetworkPassword(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn twenty_characters_of_thirty_two_in_groups_of_five_and_never_the_same() {
        let made: HashSet<String> = (0..1000)
            .map(|_| NetworkPassword::generate().unwrap().as_str().to_owned())
            .collect();
        assert_eq!(made.len(), 1000);
        let mut seen = HashSet::new();
        for text in made {
            assert_eq!(text.len(), 23);
            for group in text.split('-') {
                assert_eq!(group.len(), 5);
                assert!(group.bytes().all(|one| ALPHABET.contains(&one)));
                seen.extend(group.bytes());
            }
        }
        assert_eq!(seen.len(), 32);
    }
}
