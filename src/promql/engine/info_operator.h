// info(): adds labels of info metrics (target_info by default) to series that share instance and job with them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "promql/engine/leaf.h"
#include "promql/engine/operator.h"

namespace epi::promql {

class InfoOperator final : public Operator {
 public:
  struct Options {
    std::vector<Matcher> matchers;  // of the second argument; empty without one
    bool has_selector = false;
    std::optional<TimestampMs> at;  // of the first argument: info series are looked up there too
    int64_t offset_ms = 0;
  };
  InfoOperator(QueryState& query, const StepGrid& grid, OperatorPtr child, Options options)
      : Operator(query, grid), child_(std::move(child)), options_(std::move(options)) {}
  // Which labels come out depends on the samples of the info series, so everything is read here.
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override;

 private:
  // The base row's points at some steps, under one output series.
  struct Part {
    uint32_t output;
    uint32_t row;
    std::vector<uint64_t> steps;
  };
  Result<bool> Produce(Block& block) override;
  std::vector<Matcher> NameMatchers() const;
  Result<void> SelectInfoSeries();
  Result<void> CheckDuplicates();
  Result<void> EnrichRow(uint32_t row);
  // The info row of each info metric that counts for a signature at a step.
  std::vector<uint32_t> InfoRowsAt(const std::vector<std::vector<uint32_t>*>& candidates, size_t step) const;
  Result<std::optional<LabelTuple>> Enrich(LabelTuple base, const std::vector<uint32_t>& info_rows);
  uint32_t OutputFor(LabelTuple labels, bool drop_name);
  LabelTuple InfoLabels(uint32_t row) const { return info_->series()[info_rows_.row(row).series].labels; }

  OperatorPtr child_;
  const Options options_;
  Matrix base_;
  std::vector<bool> ignored_;  // base rows that are info series themselves
  std::unique_ptr<SelectorOperator> info_;
  Matrix info_rows_;
  std::map<std::string, std::vector<Matcher>> data_matchers_;  // by label, without __name__
  // Info rows by metric name and then by instance and job.
  std::map<SymbolId, TupleMap<std::vector<uint32_t>>> by_metric_;
  TupleMap<uint32_t> outputs_;
  std::vector<Part> parts_;  // by output
  size_t next_part_ = 0;
};

}  // namespace epi::promql
