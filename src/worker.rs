//! The child process: the only place where bytes from the network meet OpenCV and FFmpeg.
