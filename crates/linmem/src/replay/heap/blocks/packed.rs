//! Up to 64 things by number, of which only those that are there take room.

/// A packed list of 64 places.
#[derive(Debug)]
pub(super) struct Packed<T> {
    /// Which places are taken: a bit for each.
    taken: u64,
    /// In the order of the places.
    things: Vec<T>,
}

impl<T> Default for Packed<T> {
    fn default() -> Packed<T> {
        Packed { taken: 0, things: Vec::new() }
    }
}

impl<T> Packed<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.taken == 0
    }

    #[inline]
    pub(super) fn get(&self, place: u32) -> Option<&T> {
        if self.taken & bit(place) != 0 { self.things.get(self.index(place)) } else { None }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        let index = self.index(place);
        if self.taken & bit(place) != 0 { self.things.get_mut(index) } else { None }
    }

    /// What is at a place, or else what `new` puts there.
    #[inline]
    pub(super) fn get_or_insert(&mut self, place: u32, new: impl FnOnce() -> T) -> &mut T {
        let index = self.index(place);
        if self.taken & bit(place) == 0 {
            self.insert(index, new());
            self.taken |= bit(place);
        }
        &mut self.things[index]
    }

    pub(super) fn remove(&mut self, place: u32) {
        if self.taken & bit(place) != 0 {
            self.things.remove(self.index(place));
            self.taken &= !bit(place);
        }
    }

    fn insert(&mut self, index: usize, thing: T) {
        if self.things.capacity() == 0 {
            // What stands alone should not take the room of four.
            self.things.reserve_exact(1);
        }
        self.things.insert(index, thing);
    }

    /// Where a place's thing stands, or would.
    #[inline]
    fn index(&self, place: u32) -> usize {
        (self.taken & (bit(place) - 1)).count_ones() as usize
    }
}

/// A set of places.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Places(u64);

impl Places {
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(super) fn has(self, place: u32) -> bool {
        self.0 & bit(place) != 0
    }

    #[inline]
    pub(super) fn add(&mut self, place: u32) {
        self.0 |= bit(place);
    }

    #[inline]
    pub(super) fn remove(&mut self, place: u32) {
        self.0 &= !bit(place);
    }

    /// The last one up to `place`.
    #[inline]
    pub(super) fn last_until(self, place: u32) -> Option<u32> {
        (self.0 & (u64::MAX >> (63 - place))).checked_ilog2()
    }

    /// The last one before `place`.
    #[inline]
    pub(super) fn last_before(self, place: u32) -> Option<u32> {
        (self.0 & (bit(place) - 1)).checked_ilog2()
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u32> {
        (0..64).filter(move |place| self.has(*place))
    }
}

#[inline]
fn bit(place: u32) -> u64 {
    1 << place
}
