//! Up to 64 things by number, of which only those that are there take room.

/// A packed list of 64 places.
#[derive(Debug)]
pub(super) struct Packed<T> {
    /// Which places are taken.
    taken: Places,
    /// In the order of the places.
    things: Vec<T>,
}

impl<T> Default for Packed<T> {
    fn default() -> Packed<T> {
        Packed { taken: Places::default(), things: Vec::new() }
    }
}

impl<T> Packed<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// What is there up to a place, with the places, the last one first.
    pub(super) fn until(&self, place: u32) -> impl Iterator<Item = (u32, &T)> {
        let places = self.taken.until(place);
        places.descending().zip(self.things[..places.count()].iter().rev())
    }

    #[inline]
    pub(super) fn get(&self, place: u32) -> Option<&T> {
        if self.taken.has(place) { self.things.get(self.index(place)) } else { None }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        let index = self.index(place);
        if self.taken.has(place) { self.things.get_mut(index) } else { None }
    }

    /// What is at a place, or else what `new` puts there.
    #[inline]
    pub(super) fn get_or_insert(&mut self, place: u32, new: impl FnOnce() -> T) -> &mut T {
        let index = self.index(place);
        if !self.taken.has(place) {
            self.insert(index, new());
            self.taken.add(place);
        }
        &mut self.things[index]
    }

    pub(super) fn remove(&mut self, place: u32) {
        if self.taken.has(place) {
            self.things.remove(self.index(place));
            self.taken.remove(place);
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
        self.taken.before(place).count()
    }
}

/// A set of places: a bit for each.
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

    #[inline]
    pub(super) fn last(self) -> Option<u32> {
        self.0.checked_ilog2()
    }

    /// Those up to `place`.
    #[inline]
    pub(super) fn until(self, place: u32) -> Places {
        Places(self.0 & (u64::MAX >> (63 - place)))
    }

    #[inline]
    pub(super) fn before(self, place: u32) -> Places {
        Places(self.0 & (bit(place) - 1))
    }

    #[inline]
    pub(super) fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(super) fn descending(mut self) -> impl Iterator<Item = u32> {
        std::iter::from_fn(move || {
            let last = self.last()?;
            self.remove(last);
            Some(last)
        })
    }
}

#[inline]
fn bit(place: u32) -> u64 {
    1 << place
}
