//! Encodes planes to JPEGs: scales, converts colours, and makes one JPEG for each size and quality
//! that is due.

use std::sync::Arc;

use turbojpeg::{Compressor, OutputBuf, Subsamp};

use super::{
    colour::Conversion,
    planes::{YuvBuffer, YuvPlanes},
};
use cctv_agent::media::{Colour, Size};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot scale a picture to {}x{}", size.width, size.height)]
    Scale { size: Size, source: opencv::Error },
    #[error("cannot compress a picture of {}x{}", size.width, size.height)]
    Compress { size: Size, source: turbojpeg::Error },
}

/// Encodes pictures and reuses its buffers.
pub struct Encoder {
    compressor: Compressor,
    scaled: YuvBuffer,
    /// The picture with a JPEG's colours.
    right: YuvBuffer,
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
            output: OutputBuf::new_owned(),
        })
    }

    /// Encodes `source` at `size` once for each of `qualities` (1 to 100), in their order.
    ///
    /// # Errors
    /// If scaling or compression fails; then there is no picture of this size.
    pub fn encode(
        &mut self,
        source: &YuvPlanes,
        colour: Colour,
        size: Size,
        qualities: impl Iterator<Item = u8>,
    ) -> Result<Vec<Arc<[u8]>>, Error> {
        let conversion = Conversion::to_jpeg(colour);
        let scale = |source: &YuvPlanes, to: &mut YuvBuffer| {
            source.scale(size, to).map_err(|source| Error::Scale { size, source })
        };
        // Scaling comes first, because fewer pixels are left to convert.
        let ready = match (size != source.size, conversion) {
            (true, Some(conversion)) => {
                scale(source, &mut self.scaled)?;
                conversion.convert(&self.scaled.planes(), &mut self.right);
                self.right.planes()
            }
            (true, None) => {
                scale(source, &mut self.scaled)?;
                self.scaled.planes()
            }
            (false, Some(conversion)) => {
                conversion.convert(source, &mut self.right);
                self.right.planes()
            }
            (false, None) if source.is_whole() => *source,
            (false, None) => {
                source.copy(&mut self.right);
                self.right.planes()
            }
        };
        qualities.map(|quality| compress(&mut self.compressor, &mut self.output, &ready, quality)).collect()
    }
}

fn compress(
    compressor: &mut Compressor,
    output: &mut OutputBuf,
    planes: &YuvPlanes,
    quality: u8,
) -> Result<Arc<[u8]>, Error> {
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
    Ok(Arc::from(&output[..]))
}
