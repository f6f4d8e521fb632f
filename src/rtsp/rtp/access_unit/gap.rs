//! What missing packets mean for the units on both sides of the gap.

use super::{
    super::{Event, Loss, nal_class::NalClass, order::Gap},
    Assembler, Draft,
    pending::PendingGap,
};

impl Assembler {
    /// Ends the unit in progress because another one begins behind `gap`. Returns the gap if packets of the other one
    /// may be missing.
    pub(super) fn finish_before(&mut self, gap: Option<PendingGap>, out: &mut Vec<Event>) -> Option<PendingGap> {
        let mut rest = gap;
        if self.draft.is_marked {
            if gap.is_none() {
                self.end.marker_was_right();
            }
        } else if let Some(gap) = gap {
            self.draft.is_damaged = true;
            let is_its_own = gap.is_one_packet() && (gap.broke_fragment || self.end.expects_marker());
            if is_its_own && !self.has_repeated_times {
                (self.draft.loss, rest) = (self.loss_inside(gap), None);
            } else {
                self.draft.loss = Loss::Before;
            }
        }
        self.finish(None, out);
        rest
    }

    /// Whether packets that were lost in the middle of a unit can all be its own.
    pub(super) fn loss_inside(&self, gap: PendingGap) -> Loss {
        let is_known = matches!(gap.gap, Gap::Lost(_)) && !self.has_repeated_times;
        if is_known && self.draft.loss != Loss::Before { Loss::Inside } else { Loss::Before }
    }

    /// A NAL unit of this class comes behind a gap, and the unit in progress has no slice.
    pub(super) fn open_after_gap(&mut self, gap: PendingGap, class: NalClass, continues: bool, is_new_time: bool) {
        let is_start = matches!(class, NalClass::Aud | NalClass::Vps | NalClass::Sps);
        let is_empty = self.draft.nals == 0 && !self.draft.is_damaged;
        if is_start || is_new_time || is_empty {
            // What was there belongs to a unit that is lost.
            self.draft = Draft { loss: Loss::Before, ..Draft::default() };
            if continues {
                self.draft.is_damaged = true;
                if gap.is_one_packet() && is_empty && self.end.ended_by_marker() && !self.has_repeated_times {
                    self.draft.loss = Loss::Inside;
                }
            }
        } else {
            self.draft.is_damaged = true;
            self.draft.loss = if gap.is_one_packet() { self.loss_inside(gap) } else { Loss::Before };
        }
    }
}
