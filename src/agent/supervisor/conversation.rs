//! Asks a recorder for the streams of one of its channels, in a conversation that all of them use.

use std::time::Instant;

use super::{
    ResolvedStream,
    failure::{LocateError, denied, refused},
    locate::RESOLVING,
    locator::Locator,
    place::Place,
    recorder::RecorderShared,
};
use crate::{
    onvif,
    store::{Address, CameraRecord},
    time::timeout,
};

impl Locator {
    /// As [`Locator::ask`], for a channel of `recorder`: in a conversation that another channel began,
    /// or in a new one, which the others may use.
    pub(super) async fn ask_recorder(
        &self,
        recorder: &RecorderShared,
        at: &Address,
        record: Option<&CameraRecord>,
        is_announced: bool,
    ) -> Result<ResolvedStream, LocateError> {
        let since = Instant::now();
        let _asking = recorder.asking.lock().await;
        if let Some(failure) = recorder.failure(at, since) {
            return Err(failure);
        }
        if let Some(mut known) = recorder.take(at) {
            let small = self.shared.small_profile();
            match timeout(RESOLVING, self.channel_in(recorder, &mut known.recorder, record)).await {
                Some(Ok((main, found))) => {
                    let place = known.place.clone();
                    recorder.put_back(known);
                    return self.found_both(&place, main, small.zip(found), record, self.stream_key().await);
                }
                // No further attempt at the login.
                Some(Err(error)) if error.kind() == onvif::Kind::Denied => {
                    return Err(LocateError::Final(denied(&error)));
                }
                // The others do not feel what one channel lacks.
                Some(Err(error)) if error.kind() != onvif::Kind::Unreachable => {
                    recorder.put_back(known);
                    return Err(LocateError::Final(refused(&error)));
                }
                // Another conversation finds out what is wrong.
                Some(Err(_)) | None => {}
            }
        }
        recorder.asks(at);
        let result = self.ask_device(at, record, is_announced).await;
        if let Err(error) = &result {
            recorder.failed(at, error);
        }
        result
    }

    /// Begins the conversation that the channels of `recorder` use, and finds the streams of this one.
    pub(super) async fn begin_conversation(
        &self,
        recorder: &RecorderShared,
        place: &Place,
        target: &onvif::Target,
        hint: &onvif::Hint,
        record: Option<&CameraRecord>,
    ) -> Result<onvif::ChannelStreams, onvif::Error> {
        let began = Instant::now();
        let mut conversation = onvif::Recorder::open(target, hint, onvif::Limits::default()).await?;
        let found = self.channel_in(recorder, &mut conversation, record).await;
        let kind = found.as_ref().err().map(onvif::Error::kind);
        let is_over = matches!(kind, Some(onvif::Kind::Unreachable | onvif::Kind::Denied));
        recorder.begun(place, began, conversation, is_over);
        found
    }

    async fn channel_in(
        &self,
        recorder: &RecorderShared,
        conversation: &mut onvif::Recorder,
        record: Option<&CameraRecord>,
    ) -> Result<onvif::ChannelStreams, onvif::Error> {
        let number = self.stream_source.channel.as_ref().map_or(0, |channel| channel.number);
        let remembered = record.map_or(&[][..], |record| &record.sources);
        let order = recorder.learn_order(remembered, conversation.sources());
        let source = usize::from(number).checked_sub(1).and_then(|index| order.get(index));
        conversation.channel(number, source.map(String::as_str), self.shared.small_profile().is_some()).await
    }
}
