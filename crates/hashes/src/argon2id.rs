//! argon2: the scheme of every new hash, and its PHC strings.

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::base64_variants::encode_standard;
use super::cost::{ARGON2_BLOCK_NANOSECONDS, Cost};
use super::stored::HashRefused;
use doorward_domain::secret::{HashText, Password};

/// Bytes of a new hash's output.
const OUTPUT_BYTES: usize = 32;
/// Bytes of a new hash's random salt.
const SALT_BYTES: usize = 16;

/// Why numbers cannot be argon2 parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParametersRefused {
    /// Outside what argon2 defines: a pass or more, a lane or more, 8 KiB or more a lane.
    #[error("argon2 needs at least one pass, one lane, and 8 KiB of memory for each lane")]
    OutOfRange,
    /// Beyond what one verification may cost (CONTRACT.md 6).
    #[error("argon2 parameters cost too much: {0}")]
    TooCostly(#[from] HashRefused),
}

/// The parameters of new hashes (CONTRACT.md 6), valid and affordable by construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Parameters {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Default for Argon2Parameters {
    /// m=19456 KiB, t=2, p=1.
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
        }
    }
}

impl Argon2Parameters {
    /// Takes memory in KiB, passes over it, and lanes (computed one after another).
    ///
    /// # Errors
    /// Refuses what argon2 does not define and what costs more than a verification may.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, ParametersRefused> {
        let params = Params::new(memory_kib, passes, lanes, Some(OUTPUT_BYTES))
            .map_err(|_| ParametersRefused::OutOfRange)?;
        cost_of(&params).check()?;
        Ok(Self {
            memory_kib,
            passes,
            lanes,
        })
    }

    /// Memory in KiB.
    pub fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub fn passes(self) -> u32 {
        self.passes
    }

    /// Lanes.
    pub fn lanes(self) -> u32 {
        self.lanes
    }

    fn params(self) -> Params {
        // The numbers passed `Params::new` in the constructor, so that the default never stands.
        Params::new(self.memory_kib, self.passes, self.lanes, Some(OUTPUT_BYTES))
            .unwrap_or_default()
    }

    fn derive(self, password: &[u8], salt: &[u8], memory: &mut Memory) -> Option<Output> {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params());
        derive(&argon2, password, salt, OUTPUT_BYTES, memory)
    }
}

type Output = Zeroizing<Vec<u8>>;

/// The memory argon2 works in, allocated once and used again for every hash.
pub struct Memory(Vec<Block>);

impl Memory {
    /// Allocates what hashes with these parameters need.
    pub fn for_parameters(parameters: Argon2Parameters) -> Self {
        Self(vec![Block::new(); parameters.params().block_count()])
    }

    /// Allocates anew where the parameters' need has changed.
    pub fn fit(&mut self, parameters: Argon2Parameters) {
        if self.0.len() != parameters.params().block_count() {
            // The old memory goes before the new one comes.
            self.0 = Vec::new();
            *self = Self::for_parameters(parameters);
        }
    }
}

/// No random salt could be had from the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random salt could be had from the operating system")]
pub struct SaltUnavailable;

/// Hashes a new password on the calling thread, which takes tens of milliseconds; services go
/// through `HashingPool` of `doorward-hashing`.
///
/// # Errors
/// [`SaltUnavailable`], on a system without randomness.
pub fn hash_password(
    password: &Password,
    parameters: Argon2Parameters,
    memory: &mut Memory,
) -> Result<HashText, SaltUnavailable> {
    let mut salt = [0_u8; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|_| SaltUnavailable)?;
    // Valid parameters, a salt and an output of fixed lengths: nothing is left that can fail.
    let output = parameters
        .derive(password.as_bytes(), &salt, memory)
        .ok_or(SaltUnavailable)?;
    let Argon2Parameters {
        memory_kib,
        passes,
        lanes,
    } = parameters;
    Ok(HashText::new(format!(
        "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${}${}",
        encode_standard(&salt),
        encode_standard(&output)
    )))
}

/// Does the work of one verification and forgets the outcome (CONTRACT.md 5.2).
pub fn hash_dummy(password: &[u8], parameters: Argon2Parameters, memory: &mut Memory) {
    std::hint::black_box(parameters.derive(password, b"doorward's dummy", memory));
}

fn derive(
    argon2: &Argon2<'_>,
    password: &[u8],
    salt: &[u8],
    length: usize,
    memory: &mut Memory,
) -> Option<Output> {
    let mut output = Zeroizing::new(vec![0; length]);
    let needed = argon2.params().block_count();
    let computed = match memory.0.get_mut(..needed) {
        Some(blocks) => argon2.hash_password_into_with_memory(password, salt, &mut output, blocks),
        // An imported hash of larger parameters, at most `MAX_MEMORY_KIB`: for this once.
        None => argon2.hash_password_into_with_memory(
            password,
            salt,
            &mut output,
            vec![Block::new(); needed],
        ),
    };
    computed.ok().map(|()| output)
}

fn cost_of(params: &Params) -> Cost {
    let blocks = u64::from(params.m_cost());
    let filled = blocks.saturating_mul(u64::from(params.t_cost()));
    Cost::new(filled.saturating_mul(ARGON2_BLOCK_NANOSECONDS), blocks)
}

/// An argon2id, argon2i or argon2d hash.
pub(super) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    expected: Output,
}

impl Argon2Hash {
    /// Reads a PHC string. Without `v=` the version is 0x10, as before there were versions.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let phc = PasswordHash::new(text).ok()?;
        let params = Params::try_from(&phc).ok()?;
        if !params.keyid().is_empty() {
            // Made with a secret key that is not here.
            return None;
        }
        let version = match phc.version {
            Some(version) => Version::try_from(version).ok()?,
            None => Version::V0x10,
        };
        Some(Self {
            algorithm: Algorithm::try_from(phc.algorithm.as_str()).ok()?,
            version,
            params,
            salt: phc.salt?.to_vec(),
            expected: Zeroizing::new(phc.hash?.as_bytes().to_vec()),
        })
    }

    pub(super) fn cost(&self) -> Cost {
        cost_of(&self.params)
    }

    pub(super) fn matches(&self, password: &[u8], memory: &mut Memory) -> bool {
        let argon2 = Argon2::new(self.algorithm, self.version, self.params.clone());
        derive(&argon2, password, &self.salt, self.expected.len(), memory)
            .is_some_and(|computed| bool::from(computed.ct_eq(&self.expected)))
    }

    /// Whether a new hash would be made in the same way.
    pub(super) fn is_made_with(&self, parameters: Argon2Parameters) -> bool {
        self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && self.params == parameters.params()
            && self.salt.len() >= SALT_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::PasswordVerifier as _;

    fn cheap() -> Argon2Parameters {
        Argon2Parameters::new(64, 1, 1).unwrap()
    }

    #[test]
    fn the_default_is_what_the_contract_promises() {
        let default = Argon2Parameters::default();
        assert_eq!(
            (default.memory_kib(), default.passes(), default.lanes()),
            (19_456, 2, 1)
        );
        assert_eq!(Argon2Parameters::new(19_456, 2, 1), Ok(default));
    }

    #[test]
    fn undefined_and_unaffordable_parameters_are_refused() {
        for (memory_kib, passes, lanes) in [(7, 1, 1), (64, 0, 1), (64, 1, 0), (15, 1, 2)] {
            assert_eq!(
                Argon2Parameters::new(memory_kib, passes, lanes),
                Err(ParametersRefused::OutOfRange)
            );
        }
        assert!(Argon2Parameters::new(65_536, 1, 1).is_ok());
        for (memory_kib, passes) in [(65_537, 1), (u32::MAX, 1), (65_536, 100), (8, u32::MAX)] {
            assert!(matches!(
                Argon2Parameters::new(memory_kib, passes, 1),
                Err(ParametersRefused::TooCostly(_))
            ));
        }
    }

    #[test]
    fn a_new_hash_verifies_with_the_argon2_crate_itself() {
        let password = Password::new("correct horse battery".as_bytes()).unwrap();
        for parameters in [cheap(), Argon2Parameters::new(256, 3, 4).unwrap()] {
            let mut memory = Memory::for_parameters(parameters);
            let text = hash_password(&password, parameters, &mut memory).unwrap();
            let verifier = Argon2::default();
            assert!(
                verifier
                    .verify_password(password.as_bytes(), text.expose())
                    .is_ok()
            );
            assert!(
                verifier
                    .verify_password(b"correct horse", text.expose())
                    .is_err()
            );
        }
    }

    #[test]
    fn salts_differ_and_are_sixteen_bytes() {
        let password = Password::new(b"correct horse battery").unwrap();
        let mut memory = Memory::for_parameters(cheap());
        let first = hash_password(&password, cheap(), &mut memory).unwrap();
        let second = hash_password(&password, cheap(), &mut memory).unwrap();
        assert_ne!(first.expose(), second.expose());
        assert_eq!(Argon2Hash::parse(first.expose()).unwrap().salt.len(), 16);
    }

    #[test]
    fn memory_used_before_or_too_small_changes_nothing() {
        let password = Password::new(b"correct horse battery").unwrap();
        let large = Argon2Parameters::new(512, 2, 1).unwrap();
        let mut memory = Memory::for_parameters(cheap());
        let small_hash = hash_password(&password, cheap(), &mut memory).unwrap();
        let large_hash = hash_password(&password, large, &mut memory).unwrap();
        for text in [&small_hash, &large_hash, &small_hash] {
            let hash = Argon2Hash::parse(text.expose()).unwrap();
            assert!(hash.matches(password.as_bytes(), &mut memory));
            assert!(!hash.matches(b"correct horse batterY", &mut memory));
        }
        memory.fit(large);
        assert_eq!(memory.0.len(), 512);
        assert!(
            Argon2Hash::parse(small_hash.expose())
                .unwrap()
                .matches(password.as_bytes(), &mut memory)
        );
    }
}
