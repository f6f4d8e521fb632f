//! Encodes planes to JPEGs: scales, converts colours, and makes one JPEG for each size and quality
//! that is due.

use bytes::Bytes;
use turbojpeg::{Compressor, OutputBuf, Subsamp};

use super::{
    colour::Conversion,
    mark,
    planes::{YuvBuffer, YuvPlanes},
    turn::turn,
};
use cctv_agent::media::{
    Colour, Size,
    transform::{Crop, Transform},
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot scale a picture to {}x{}", size.width, size.height)]
    Scale { size: Size, source: opencv::Error },
    #[error("cannot draw the mark into a picture of {}x{}", size.width, size.height)]
    Mark { size: Size, source: opencv::Error },
    #[error("cannot compress a picture of {}x{}", size.width, size.height)]
    Compress { size: Size, source: turbojpeg::Error },
}

/// Encodes pictures and reuses its buffers.
pub struct Encoder {
    compressor: Compressor,
    scaled: YuvBuffer,
    /// The picture with a JPEG's colours.
    right: YuvBuffer,
    turned: YuvBuffer,
    /// Buffer for all JPEGs; it grows when needed.
    output: OutputBuf<'static>,
}

impl Encoder {
    /// # Errors
    /// Out of memory.
    pub fn new() -> Result<Self, turbojpeg::Error> {
        Ok(Self {
            compressor: Compressor::new()?,
            scaled: YuvBuffer::default(),
            right: YuvBuffer::default(),
            turned: YuvBuffer::default(),
            output: OutputBuf::new_owned(),
        })
    }

    /// Encodes what `transform` makes of `source` at `size`, once for each of `qualities` (1 to 100), in
    /// their order. `mark` is the text of the [mark](super::mark) that is drawn into it.
    ///
    /// # Errors
    /// If scaling, drawing or compression fails; then there is no picture of this size.
    pub fn encode(
        &mut self,
        source: &YuvPlanes,
        colour: Colour,
        (size, transform): (Size, Transform),
        mark: Option<&str>,
        qualities: impl Iterator<Item = u8>,
    ) -> Result<Vec<Bytes>, Error> {
        let conversion = Conversion::to_jpeg(colour);
        let source = &visible(source, transform);
        let upright = transform.turned(size);
        let scale = |source: &YuvPlanes, to: &mut YuvBuffer| {
            source.scale(upright, to).map_err(|source| Error::Scale { size, source })
        };
        // Scaling comes first, because fewer pixels are left to convert. It makes chroma that can be turned.
        let own = match (upright != source.size || !transform.is_upright(), conversion) {
            (true, Some(conversion)) => {
                scale(source, &mut self.scaled)?;
                conversion.convert(&self.scaled.planes(), &mut self.right);
                Some(&mut self.right)
            }
            (true, None) => {
                scale(source, &mut self.scaled)?;
                Some(&mut self.scaled)
            }
            (false, Some(conversion)) => {
                conversion.convert(source, &mut self.right);
                Some(&mut self.right)
            }
            (false, None) if source.is_whole() && mark.is_none() => None,
            (false, None) => {
                source.copy(&mut self.right);
                Some(&mut self.right)
            }
        };
        // A picture that is turned was scaled, so it can be.
        let own = match own {
            Some(own) if !transform.is_upright() => {
                turn(&own.planes(), transform, &mut self.turned);
                Some(&mut self.turned)
            }
            own => own,
        };
        let ready = match own {
            Some(own) => {
                if let Some(text) = mark {
                    mark::draw(own, text).map_err(|source| Error::Mark { size, source })?;
                }
                own.planes()
            }
            None => *source,
        };
        qualities.map(|quality| compress(&mut self.compressor, &mut self.output, &ready, quality)).collect()
    }
}

/// The part of `source` that `transform` leaves.
fn visible<'a>(source: &YuvPlanes<'a>, transform: Transform) -> YuvPlanes<'a> {
    if transform.crop == Crop::NONE { *source } else { source.part(transform.crop.visible(source.size)) }
}

fn compress(
    compressor: &mut Compressor,
    output: &mut OutputBuf,
    planes: &YuvPlanes,
    quality: u8,
) -> Result<Bytes, Error> {
    let mut work = || {
        compressor.set_quality(i32::from(quality))?;
        if planes.has_chroma() {
            compressor.compress_yuv_planes(&planes.image(), output)
        } else {
            compressor.set_subsamp(Subsamp::Gray)?;
            compressor.compress(planes.grey_image(), output)
        }
    };
    work().map_err(|source| Error::Compress { size: planes.size, source })?;
    Ok(Bytes::copy_from_slice(output))
}
