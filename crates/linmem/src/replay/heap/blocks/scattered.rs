//! Hashes that the author of a trace cannot foresee.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Makes hashes of numbers: a multiplication by a secret factor, whose halves are folded, as in wyhash.
#[derive(Debug, Clone)]
pub(super) struct Scattered {
    secret: u64,
    factor: u64,
}

/// The hash of one number.
pub(super) struct Scatter {
    by: Scattered,
    hash: u64,
}

impl Default for Scattered {
    fn default() -> Scattered {
        let random = RandomState::new();
        Scattered { secret: random.hash_one(0), factor: random.hash_one(1) | 1 }
    }
}

impl BuildHasher for Scattered {
    type Hasher = Scatter;

    #[inline]
    fn build_hasher(&self) -> Scatter {
        Scatter { by: self.clone(), hash: 0 }
    }
}

impl Hasher for Scatter {
    #[inline]
    fn write_u64(&mut self, number: u64) {
        let number = self.hash ^ number ^ self.by.secret;
        let product = u128::from(number) * u128::from(self.by.factor);
        self.hash = product as u64 ^ (product >> 64) as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.hash
    }
}
