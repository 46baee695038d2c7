// Columns of strings in the Arrow C data interface -> views of their UTF-8, without a copy and
// without a library. Input: the two structures that a producer (pyarrow, Polars, pandas, DuckDB)
// hands over; their layout is the interface's ABI, which is frozen. Output: one view per value.
// The producer is trusted as the interface asks: what can be checked cheaply, is.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/errors.hpp"

// Names and layout are the interface's own; other headers may declare them first.
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
struct ArrowSchema {
    const char* format;
    const char* name;
    const char* metadata;
    std::int64_t flags;
    std::int64_t n_children;
    struct ArrowSchema** children;
    struct ArrowSchema* dictionary;
    void (*release)(struct ArrowSchema*);
    void* private_data;
};
struct ArrowArray {
    std::int64_t length;
    std::int64_t null_count;
    std::int64_t offset;
    std::int64_t n_buffers;
    std::int64_t n_children;
    const void** buffers;
    struct ArrowArray** children;
    struct ArrowArray* dictionary;
    void (*release)(struct ArrowArray*);
    void* private_data;
};
#endif
#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE
struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream*, struct ArrowSchema*);
    int (*get_next)(struct ArrowArrayStream*, struct ArrowArray*);
    const char* (*get_last_error)(struct ArrowArrayStream*);
    void (*release)(struct ArrowArrayStream*);
    void* private_data;
};
#endif

namespace ngram {
namespace arrow {

// A value in the layout "view": short ones lie here, others in one of the data buffers.
struct StringView {
    static constexpr std::int32_t kInline = 12;
    std::int32_t size;
    union {
        char text[kInline];
        struct {
            char prefix[4];
            std::int32_t buffer;
            std::int32_t offset;
        } far;
    };
};
static_assert(sizeof(StringView) == 16);

inline bool is_null(const ArrowArray& array, std::int64_t index) {
    const auto* valid = static_cast<const std::uint8_t*>(array.buffers[0]);
    return array.null_count != 0 && valid != nullptr && (valid[index / 8] >> (index % 8) & 1) == 0;
}

[[noreturn]] inline void refuse(std::size_t index, const std::string& why) {
    throw InputError("texts[" + std::to_string(index) + "] " + why);
}

template <class Offset>
void append_plain(const ArrowArray& array, std::vector<std::string_view>& views) {
    const auto* offsets = static_cast<const Offset*>(array.buffers[1]);
    const auto* data = static_cast<const char*>(array.buffers[2]);
    for (std::int64_t i = array.offset; i < array.offset + array.length; ++i) {
        if (is_null(array, i)) refuse(views.size(), "is null: drop it, or fill it with ''");
        if (offsets[i] < 0 || offsets[i + 1] < offsets[i]) {
            refuse(views.size(), "has offsets that descend: the Arrow array is damaged");
        }
        views.emplace_back(data == nullptr ? "" : data + offsets[i],
                           static_cast<std::size_t>(offsets[i + 1] - offsets[i]));
    }
}

// Buffers: validity, views, any number of data buffers, and the sizes of those.
inline void append_views(const ArrowArray& array, std::vector<std::string_view>& views) {
    const auto* values = static_cast<const StringView*>(array.buffers[1]);
    const std::int64_t data = array.n_buffers - 3;
    const auto* sizes = static_cast<const std::int64_t*>(array.buffers[array.n_buffers - 1]);
    for (std::int64_t i = array.offset; i < array.offset + array.length; ++i) {
        if (is_null(array, i)) refuse(views.size(), "is null: drop it, or fill it with ''");
        const StringView& value = values[i];
        if (value.size >= 0 && value.size <= StringView::kInline) {
            views.emplace_back(value.text, static_cast<std::size_t>(value.size));
            continue;
        }
        if (value.size < 0 || value.far.buffer < 0 || value.far.buffer >= data ||
            value.far.offset < 0 ||
            std::int64_t{value.far.offset} + value.size > sizes[value.far.buffer]) {
            refuse(views.size(), "lies outside its buffer: the Arrow array is damaged");
        }
        views.emplace_back(
            static_cast<const char*>(array.buffers[2 + value.far.buffer]) + value.far.offset,
            static_cast<std::size_t>(value.size));
    }
}

// Appends the values of one array of strings or binaries. They live as long as the array.
inline void append_texts(const ArrowSchema& schema, const ArrowArray& array,
                         std::vector<std::string_view>& views) {
    const std::string_view format = schema.format;
    if (schema.dictionary != nullptr || (format != "u" && format != "U" && format != "z" &&
                                         format != "Z" && format != "vu" && format != "vz")) {
        throw InputError("texts is an Arrow array of the format '" + std::string(format) +
                         (schema.dictionary != nullptr ? "' with a dictionary" : "'") +
                         ": pass one column of strings (string, large_string or string_view)");
    }
    if (array.length == 0) return;
    if (format == "u" || format == "z") {
        append_plain<std::int32_t>(array, views);
    } else if (format == "U" || format == "Z") {
        append_plain<std::int64_t>(array, views);
    } else {
        append_views(array, views);
    }
}

}  // namespace arrow

// A stream of arrays of strings, drained; it keeps what the views point to.
class ArrowTexts {
  public:
    explicit ArrowTexts(ArrowArrayStream& stream) {
        check(stream, stream.get_schema(&stream, &schema_));
        while (true) {
            arrays_.emplace_back();
            check(stream, stream.get_next(&stream, &arrays_.back()));
            if (arrays_.back().release == nullptr) return;  // the end
        }
    }
    ArrowTexts(const ArrowTexts&) = delete;
    ArrowTexts& operator=(const ArrowTexts&) = delete;
    ~ArrowTexts() {
        for (ArrowArray& array : arrays_) {
            if (array.release != nullptr) array.release(&array);
        }
        if (schema_.release != nullptr) schema_.release(&schema_);
    }

    void append_to(std::vector<std::string_view>& views) const {
        for (const ArrowArray& array : arrays_) {
            if (array.release != nullptr) arrow::append_texts(schema_, array, views);
        }
    }

  private:
    static void check(ArrowArrayStream& stream, int status) {
        if (status == 0) return;
        const char* why = stream.get_last_error(&stream);
        throw InputError(std::string("texts cannot be read as an Arrow stream: ") +
                         (why != nullptr ? why : "the producer does not say why"));
    }

    ArrowSchema schema_{};
    std::vector<ArrowArray> arrays_;
};

}  // namespace ngram
