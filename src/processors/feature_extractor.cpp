// Feature extractors for sound. Reference: feature_extraction_whisper.py, feature_extraction_wav2vec2.py, audio_utils.py.
// B sounds, L samples, M mel bins, F frames, K = n_fft / 2 + 1 frequencies.
#include <algorithm>
#include <cmath>

#include "ops/elementwise.h"
#include "ops/fft.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "transformers/error.h"
#include "transformers/processor.h"

namespace transformers {
namespace {

double hertz_to_mel(double f) { return f < 1000 ? 3 * f / 200 : 15 + std::log(f / 1000) * 27 / std::log(6.4); }
double mel_to_hertz(double m) { return m < 15 ? 200 * m / 3 : 1000 * std::exp(std::log(6.4) / 27 * (m - 15)); }

// Slaney-style triangular filters [M, K], each of unit area.
Tensor mel_filters(int64_t bins, int64_t mels, double low, double high, double rate) {
  std::vector<double> edges;
  for (int64_t i = 0; i < mels + 2; ++i)
    edges.push_back(mel_to_hertz(hertz_to_mel(low) + (hertz_to_mel(high) - hertz_to_mel(low)) * static_cast<double>(i) / static_cast<double>(mels + 1)));
  Tensor t = Tensor::zeros({mels, bins});
  for (int64_t m = 0; m < mels; ++m)
    for (int64_t k = 0; k < bins; ++k) {
      const double f = rate / 2 * static_cast<double>(k) / static_cast<double>(bins - 1);
      const double a = edges[static_cast<size_t>(m)], b = edges[static_cast<size_t>(m + 1)], c = edges[static_cast<size_t>(m + 2)];
      const double v = std::max(0.0, std::min((f - a) / (b - a), (c - f) / (c - b)));
      t.mutable_data<float>()[m * bins + k] = static_cast<float>(v * 2 / (c - a));
    }
  return t;
}

// log-mel of fixed length: [M, F]
Tensor whisper_features(const std::vector<float>& samples, const Json& c) {
  const int64_t rate = c.get("sampling_rate", 16000), n_fft = c.get("n_fft", 400), hop = c.get("hop_length", 160), mels = c.get("feature_size", 80);
  const int64_t length = c.get("n_samples", c.get("chunk_length", 30) * rate);
  if (n_fft < 2 || hop < 1 || mels < 1 || rate < 1 || length < n_fft || length > (int64_t{1} << 28)) throw ConfigError("preprocessor_config.json: sizes of the Whisper feature extractor are wrong");
  std::vector<float> padded(static_cast<size_t>(length), static_cast<float>(c.get("padding_value", 0.0)));
  std::copy_n(samples.begin(), std::min(padded.size(), samples.size()), padded.begin());
  const Tensor spectrum = stft(Tensor::from(padded, {1, length}), n_fft, hop, hann_window(n_fft)).select(0, 0);  // [K, F + 1, 2]
  const Tensor power = sum(square(spectrum), {-1}).slice(1, 0, spectrum.dim(1) - 1).contiguous();                // [K, F]
  const Tensor filters = mel_filters(n_fft / 2 + 1, mels, 0, static_cast<double>(rate) / 2, static_cast<double>(rate));
  Tensor log_mel = log10(clamp(matmul(filters, power), 1e-10, 3e38));
  const double top = amax(log_mel).item();
  return (clamp(log_mel, top - 8, 3e38) + 4.0) / 4.0;
}

void normalise(float* x, int64_t n, int64_t length) {
  double mean = 0, var = 0;
  for (int64_t i = 0; i < n; ++i) mean += x[i];
  mean /= static_cast<double>(std::max<int64_t>(1, n));
  for (int64_t i = 0; i < n; ++i) var += (x[i] - mean) * (x[i] - mean);
  var /= static_cast<double>(std::max<int64_t>(1, n));
  const double scale = 1 / std::sqrt(var + 1e-7);
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>((x[i] - mean) * scale);
  for (int64_t i = n; i < length; ++i) x[i] = 0;
}

}  // namespace

FeatureExtractor::FeatureExtractor(Json config) : config_(std::move(config)) {
  const std::string type = config_.get("feature_extractor_type", "Wav2Vec2FeatureExtractor");
  if (type != "WhisperFeatureExtractor" && type != "Wav2Vec2FeatureExtractor") throw UnsupportedError({"feature extractor ", type, " is not supported yet"});
}

Inputs FeatureExtractor::operator()(const std::vector<Audio>& sounds) const {
  if (sounds.empty()) throw ValueError("feature extractor: no sounds given");
  for (const Audio& a : sounds)
    if (a.sampling_rate != sampling_rate())
      throw ValueError({"The model was trained using a sampling rate of ", sampling_rate(), ". Please make sure that the provided audio was sampled with ", sampling_rate(), " and not ", a.sampling_rate, "."});
  NoGrad no_grad;
  Inputs in;
  if (config_.get("feature_extractor_type", "") == "WhisperFeatureExtractor") {
    std::vector<Tensor> rows;
    for (const Audio& a : sounds) rows.push_back(whisper_features(a.samples, config_));
    Tensor all = Tensor::empty({static_cast<int64_t>(rows.size()), rows[0].dim(0), rows[0].dim(1)});
    for (size_t i = 0; i < rows.size(); ++i) all.select(0, static_cast<int64_t>(i)).copy_(rows[i]);
    in.set("input_features", all);
    return in;
  }
  size_t longest = 0;
  for (const Audio& a : sounds) longest = std::max(longest, a.samples.size());
  const int64_t B = static_cast<int64_t>(sounds.size()), L = static_cast<int64_t>(longest);
  Tensor values = Tensor::zeros({B, L}), mask = Tensor::zeros({B, L}, DType::i64);
  for (int64_t b = 0; b < B; ++b) {
    const std::vector<float>& s = sounds[static_cast<size_t>(b)].samples;
    float* row = values.mutable_data<float>() + b * L;
    std::copy(s.begin(), s.end(), row);
    std::fill_n(mask.mutable_data<int64_t>() + b * L, s.size(), 1);
    if (config_.get("do_normalize", true)) normalise(row, static_cast<int64_t>(s.size()), L);
  }
  in.set("input_values", values);
  if (config_.get("return_attention_mask", false)) in.set("attention_mask", mask);
  return in;
}

}  // namespace transformers
