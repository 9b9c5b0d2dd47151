// The handlers of every route, by topic. Their contract is that of net::Handler.
#pragma once

#include "base/result.h"
#include "net/http_message.h"
#include "storage/storage.h"
#include "web/services.h"

namespace epi::web {

using HandlerFunction = Result<void>(Services&, const net::Request&, net::ResponseWriter&);

// api/query.cc
HandlerFunction ServeQuery, ServeQueryRange, ServeQueryExemplars, ServeFormatQuery, ServeParseQuery, ServeQueryExplain,
    ServeActiveQueries, ServeStopQuery;
// api/series.cc
HandlerFunction ServeLabels, ServeLabelValues, ServeSeries;
// api/targets.cc
HandlerFunction ServeTargets, ServeTargetMetadata, ServeRelabelSteps, ServeScrapePools, ServeScrapePoolConfig,
    ServeMetadata, ServeAlertmanagers;
// api/rules.cc
HandlerFunction ServeRules, ServeAlerts;
// api/rules_backtest.cc
HandlerFunction ServeRulesBacktest;
// api/rules_backfill.cc
HandlerFunction ServeRulesBackfill;
// api/alert_history.cc
HandlerFunction ServeAlertHistory;
// api/status.cc
HandlerFunction ServeConfig, ServeRuntimeInfo, ServeBuildInfo, ServeFlags, ServeTsdbStatus, ServeTsdbCost,
    ServeTsdbBlocks, ServeWalReplay, ServeFeatures, ServeSelfMetrics, ServeNotifications, ServeNotificationsLive;
// api/admin.cc
HandlerFunction ServeDeleteSeries, ServeCleanTombstones, ServeSnapshot;
// api/ingest.cc
HandlerFunction ServeRemoteWrite, ServeRemoteRead, ServeOtlpWrite;
// api/transfer.cc
HandlerFunction ServeImportText, ServeImportLines, ServeExport;
// api/search.cc
HandlerFunction ServeSearchMetricNames, ServeSearchLabelNames, ServeSearchLabelValues;
// api/openapi.cc
HandlerFunction ServeOpenApi;
// federate.cc
HandlerFunction ServeFederate;
// Makes the families of federation, so that they are there before the first request.
Counter& FederationErrors(MetricRegistry& metrics);
// management.cc
HandlerFunction ServeOptions, ServeRoot, ServeGraph, ServeNoAsset, ServePage, ServeAgentPage, ServeVersion,
    ServeMetrics, ServeHealthy, ServeReady, ServeReload, ServeQuit, ServeLifecycleGet, ServeDebug;

}  // namespace epi::web
