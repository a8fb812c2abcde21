// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/hex.hpp"
#include "base/secret.hpp"

namespace cas::test {

/// One group of `name = value` lines of a vector file. An attribute that the test does not read fails it: what stands
/// in a file and is not looked at tests nothing.
class Vector {
 public:
  /// Hexadecimal digits.
  Bytes hex(const std::string& name) {
    const std::string value = text(name);
    auto bytes = from_hex(value, value.size());
    if (!bytes) ADD_FAILURE() << place_ << ": " << name << ": " << bytes.error().message;
    return bytes.value_or(Bytes{});
  }
  SecretBytes secret(const std::string& name) { return SecretBytes::copy_of(hex(name)); }
  /// The value as it stands there, without the spaces around it.
  std::string text(const std::string& name) {
    const auto found = attributes_.find(name);
    if (found == attributes_.end()) {
      ADD_FAILURE() << place_ << ": there is no " << name;
      return {};
    }
    found->second.read = true;
    return found->second.value;
  }
  std::uint64_t number(const std::string& name) {
    const std::string value = text(name);
    if (value.empty() || value.size() > 18 || value.find_first_not_of("0123456789") != std::string::npos) {
      ADD_FAILURE() << place_ << ": " << name << " is not a number";
      return 0;
    }
    return std::stoull(value);
  }
  /// "yes" or "no".
  bool yes(const std::string& name) {
    const std::string value = text(name);
    if (value != "yes" && value != "no") ADD_FAILURE() << place_ << ": " << name << " is neither yes nor no";
    return value == "yes";
  }

 private:
  struct Attribute {
    std::string value;
    bool read = false;
  };
  std::string place_;
  std::map<std::string, Attribute> attributes_;

  template <typename Test>
  friend void for_each_vector(const std::string& file, Test test);
};

/// Runs `test(Vector&)` on every group in tests/vectors/`file`. Groups are separated by empty lines; lines that begin
/// with '#' are for people. Fails on a file that cannot be read, or has no group.
template <typename Test>
void for_each_vector(const std::string& file, Test test) {
  const std::string path = std::string(CAS_VECTORS) + "/" + file;
  std::ifstream in(path);
  ASSERT_TRUE(in.is_open()) << path << " cannot be read";
  const auto run = [&test](Vector& vector) {
    if (vector.attributes_.empty()) return false;
    const testing::ScopedTrace trace(__FILE__, __LINE__, vector.place_);
    test(vector);
    for (const auto& [name, attribute] : vector.attributes_) {
      EXPECT_TRUE(attribute.read) << vector.place_ << ": the test has not read " << name;
    }
    vector.attributes_.clear();
    return true;
  };
  const auto trimmed = [](const std::string& text) {
    const auto first = text.find_first_not_of(" \t\r");
    return first == std::string::npos ? std::string() : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
  };

  Vector vector;
  std::size_t groups = 0;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    line = trimmed(line);
    if (line.empty()) {
      groups += run(vector) ? 1 : 0;
      continue;
    }
    if (line.front() == '#') continue;
    const auto equals = line.find('=');
    ASSERT_NE(equals, std::string::npos) << path << ":" << number << " is not of the form name = value";
    if (vector.attributes_.empty()) vector.place_ = file + ":" + std::to_string(number);
    const bool is_new =
        vector.attributes_.emplace(trimmed(line.substr(0, equals)), Vector::Attribute{trimmed(line.substr(equals + 1))})
            .second;
    ASSERT_TRUE(is_new) << path << ":" << number << " repeats an attribute";
  }
  groups += run(vector) ? 1 : 0;
  ASSERT_GT(groups, 0U) << path << " has no vector";
}

}  // namespace cas::test
