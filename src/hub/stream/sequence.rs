//! The sequence numbers of a stream's access units, across its workers.

/// Counts the units, and marks the last change of the stream among them.
#[derive(Debug)]
pub struct SequenceCounter {
    next: u32,
    /// First number after the last change of the stream info; `None` until it changes.
    changed_at: Option<u32>,
}

impl Default for SequenceCounter {
    fn default() -> Self {
        Self { next: 1, changed_at: None }
    }
}

impl SequenceCounter {
    /// The number of the next unit.
    pub fn next(&self) -> u32 {
        self.next
    }

    /// Records that unit `sequence` arrived.
    pub fn note(&mut self, sequence: u32) {
        self.next = sequence.wrapping_add(1);
    }

    /// Records that the stream changed its size, shape or codec before the next unit.
    pub fn mark_change(&mut self) {
        self.changed_at = Some(self.next);
    }

    /// Whether unit `sequence` came before the last change. Numbers wrap, so they are compared by
    /// their distance to the next one.
    pub fn is_before_change(&self, sequence: u32) -> bool {
        let units_since = |sequence: u32| self.next.wrapping_sub(sequence);
        self.changed_at.is_some_and(|changed_at| units_since(sequence) > units_since(changed_at))
    }
}
