#include "promql/engine/shared_operator.h"

namespace epi::promql {

Result<void> SharedEvaluation::Prepare() {
  if (prepared_) return {};
  prepared_ = true;
  return op_->Prepare();
}

Result<const Matrix*> SharedEvaluation::Get() {
  if (!drained_) {
    drained_ = true;
    EPI_TRY(matrix_.Drain(*op_, query_));
  }
  return &matrix_;
}

Result<void> SharedOperator::Prepare() {
  EPI_TRY(evaluation_->Prepare());
  series_ = evaluation_->op().series();
  tally_source_ = &evaluation_->op();
  return {};
}

void SharedOperator::Account(SampleAccount& account, Annotations& notes) const {
  if (moved_.empty()) return evaluation_->op().Account(account, notes);
  Annotations said;
  evaluation_->op().Account(account, said);
  notes.Merge(said, moved_);
}

Result<bool> SharedOperator::Produce(Block& block) {
  EPI_ASSIGN(const Matrix* matrix, evaluation_->Get());
  return reader_.Next(*matrix, grid_.count, query_.meter, block);
}

}  // namespace epi::promql
