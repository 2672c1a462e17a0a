// Files that appear whole or not at all, whatever kills the writer, and files read whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace infer310 {

// A file written beside its target; it takes the target's name at `commit`, and is removed if that never comes.
// Every member raises RunError naming the target.
class AtomicFile {
  public:
    explicit AtomicFile(std::filesystem::path target);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    AtomicFile(AtomicFile&&) = delete;
    AtomicFile& operator=(AtomicFile&&) = delete;

    void write(const void* data, std::size_t size);
    void write(std::string_view text) { write(text.data(), text.size()); }
    void commit();
    // Of the file as far as it is written.
    [[nodiscard]] int descriptor() const { return descriptor_; }

  private:
    std::filesystem::path target_;
    std::string temporary_;
    int descriptor_ = -1;
};

// A folder filled beside its target; at `commit` it takes the place of an older one. RunError names the target.
class AtomicFolder {
  public:
    explicit AtomicFolder(std::filesystem::path target);
    ~AtomicFolder();
    AtomicFolder(const AtomicFolder&) = delete;
    AtomicFolder& operator=(const AtomicFolder&) = delete;
    AtomicFolder(AtomicFolder&&) = delete;
    AtomicFolder& operator=(AtomicFolder&&) = delete;

    // A new file of the folder.
    void write(const std::string& name, const void* data, std::size_t size) const;
    void commit();

  private:
    std::filesystem::path target_;
    std::filesystem::path temporary_;
};

// Removes what killed writers of `target` left beside it. Of a folder that two write at once, the other's work too.
void remove_leftovers(const std::filesystem::path& target);

// Makes the folder, if need be. RunError: it cannot be made or written.
void make_folder(const std::filesystem::path& folder);

// The bytes of a file. InputError "path: no such <kind>", or why it cannot be read.
std::string read_file(const std::filesystem::path& path, std::string_view kind);

void write_file(const std::filesystem::path& path, std::string_view text);

}  // namespace infer310
