// Decoding pictures: libjpeg-turbo, libpng, binary PPM.
#include <cstdio>

#include <jpeglib.h>
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "base/file.h"
#include "transformers/error.h"
#include "transformers/processor.h"

namespace transformers {
namespace {

constexpr int64_t kMostPixels = int64_t{1} << 28;

void check_size(const std::string& path, int64_t width, int64_t height) {
  if (width < 1 || height < 1 || width * height > kMostPixels) throw CheckpointError({path, ": a picture of ", width, "x", height, " is not plausible"});
}

struct JpegError {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};
void on_jpeg_error(j_common_ptr c) {
  auto* e = reinterpret_cast<JpegError*>(c->err);
  (*c->err->format_message)(c, e->message);
  std::longjmp(e->jump, 1);
}

// Only plain data live across the jump; the picture is filled through a pointer.
bool read_jpeg(const uint8_t* data, size_t size, Image* out, char* why) {
  jpeg_decompress_struct c;
  JpegError error;
  c.err = jpeg_std_error(&error.base);
  error.base.error_exit = on_jpeg_error;
  if (setjmp(error.jump)) {
    jpeg_destroy_decompress(&c);
    std::memcpy(why, error.message, JMSG_LENGTH_MAX);
    return false;
  }
  jpeg_create_decompress(&c);
  jpeg_mem_src(&c, data, size);
  jpeg_read_header(&c, TRUE);
  c.out_color_space = JCS_RGB;
  if (int64_t{c.image_width} * c.image_height > kMostPixels) {
    jpeg_destroy_decompress(&c);
    std::strcpy(why, "too large");
    return false;
  }
  jpeg_start_decompress(&c);
  out->width = c.output_width, out->height = c.output_height;
  out->pixels.resize(static_cast<size_t>(out->width * out->height * 3));
  while (c.output_scanline < c.output_height) {
    JSAMPROW row = &out->pixels[static_cast<size_t>(c.output_scanline) * static_cast<size_t>(out->width) * 3];
    jpeg_read_scanlines(&c, &row, 1);
  }
  jpeg_finish_decompress(&c);
  jpeg_destroy_decompress(&c);
  return true;
}

Image read_png(const std::string& path, const uint8_t* data, size_t size) {
  png_image p;
  std::memset(&p, 0, sizeof p);
  p.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&p, data, size)) throw CheckpointError({path, ": damaged PNG: ", p.message});
  check_size(path, p.width, p.height);
  p.format = PNG_FORMAT_RGBA;  // alpha is dropped without blending, as Pillow's convert("RGB") does
  std::vector<uint8_t> rgba(PNG_IMAGE_SIZE(p));
  if (!png_image_finish_read(&p, nullptr, rgba.data(), 0, nullptr)) throw CheckpointError({path, ": damaged PNG: ", p.message});
  Image out{p.width, p.height, std::vector<uint8_t>(static_cast<size_t>(p.width) * p.height * 3)};
  for (size_t i = 0; i < static_cast<size_t>(p.width) * p.height; ++i) std::memcpy(&out.pixels[i * 3], &rgba[i * 4], 3);
  return out;
}

Image read_ppm(const std::string& path, std::string_view text) {
  int width = 0, height = 0, top = 0, used = 0;
  if (std::sscanf(std::string(text.substr(0, 64)).c_str(), "P6 %d %d %d%n", &width, &height, &top, &used) != 3 || top != 255) throw CheckpointError({path, ": damaged PPM header"});
  check_size(path, width, height);
  const size_t need = static_cast<size_t>(width) * static_cast<size_t>(height) * 3, begin = static_cast<size_t>(used) + 1;
  if (text.size() < begin + need) throw CheckpointError({path, ": truncated PPM"});
  Image out{width, height, {}};
  out.pixels.assign(text.begin() + static_cast<std::ptrdiff_t>(begin), text.begin() + static_cast<std::ptrdiff_t>(begin + need));
  return out;
}

}  // namespace

Image load_image(const std::string& path) {
  const MappedFile file(path);
  const uint8_t* d = file.data();
  if (file.size() > 3 && d[0] == 0xFF && d[1] == 0xD8) {
    Image out;
    char why[JMSG_LENGTH_MAX] = "";
    if (!read_jpeg(d, file.size(), &out, why)) throw CheckpointError({path, ": damaged JPEG: ", static_cast<const char*>(why)});
    return out;
  }
  if (file.size() > 8 && std::memcmp(d, "\x89PNG", 4) == 0) return read_png(path, d, file.size());
  if (file.size() > 8 && std::memcmp(d, "P6", 2) == 0) return read_ppm(path, file.text());
  throw UnsupportedError({path, ": not a JPEG, PNG or PPM picture"});
}

}  // namespace transformers
