// Reading sound: libsndfile, resampled with soxr.
#include <sndfile.h>
#include <soxr.h>

#include "transformers/error.h"
#include "transformers/processor.h"

namespace transformers {

Audio load_audio(const std::string& path, int64_t sampling_rate) {
  SF_INFO info{};
  SNDFILE* f = sf_open(path.c_str(), SFM_READ, &info);
  if (!f) throw IoError({path, ": cannot read as sound: ", sf_strerror(nullptr)});
  const int64_t frames = info.frames, channels = info.channels;
  if (frames < 0 || channels < 1 || channels > 64 || frames > (int64_t{1} << 31) / channels) {
    sf_close(f);
    throw CheckpointError({path, ": ", frames, " frames of ", channels, " channels are not plausible"});
  }
  std::vector<float> interleaved;
  constexpr int64_t kBlock = 1 << 16;  // grows with what is really there, not with what the header claims
  std::vector<float> block(static_cast<size_t>(kBlock * channels));
  for (sf_count_t n; (n = sf_readf_float(f, block.data(), kBlock)) > 0;) interleaved.insert(interleaved.end(), block.begin(), block.begin() + n * channels);
  sf_close(f);
  Audio out;
  out.sampling_rate = info.samplerate;
  out.samples.resize(interleaved.size() / static_cast<size_t>(channels));
  for (size_t i = 0; i < out.samples.size(); ++i) {
    float s = 0;
    for (int64_t c = 0; c < channels; ++c) s += interleaved[i * static_cast<size_t>(channels) + static_cast<size_t>(c)];
    out.samples[i] = s / static_cast<float>(channels);
  }
  if (sampling_rate <= 0 || sampling_rate == out.sampling_rate || out.samples.empty()) return out;
  const double ratio = static_cast<double>(sampling_rate) / static_cast<double>(out.sampling_rate);
  std::vector<float> resampled(static_cast<size_t>(static_cast<double>(out.samples.size()) * ratio + 1));
  size_t used = 0, made = 0;
  if (const char* error = soxr_oneshot(static_cast<double>(out.sampling_rate), static_cast<double>(sampling_rate), 1, out.samples.data(), out.samples.size(), &used, resampled.data(), resampled.size(), &made, nullptr, nullptr, nullptr))
    throw Error({path, ": resampling failed: ", error});
  resampled.resize(made);
  return {std::move(resampled), sampling_rate};
}

}  // namespace transformers
