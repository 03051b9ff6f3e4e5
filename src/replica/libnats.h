/*
 * libnats, loaded when a connection is wanted for the first time: a program that speaks to no
 * server does not pay for it at its start, and runs where it is not installed. Functions are called
 * through a table, nothing links the library.
 */
#ifndef DEMON_LIBNATS_H
#define DEMON_LIBNATS_H

#include "base/base.h"

#include <nats/nats.h>

/* X(function) */
#define DEMON_LIBNATS_LIST(X)                      \
	X(jsCtx_Destroy)                           \
	X(jsMsgMetaData_Destroy)                   \
	X(jsOptions_Init)                          \
	X(jsPubAck_Destroy)                        \
	X(jsPubOptions_Init)                       \
	X(jsStreamConfig_Init)                     \
	X(jsStreamInfo_Destroy)                    \
	X(jsSubOptions_Init)                       \
	X(js_AddStream)                            \
	X(js_CreateKeyValue)                       \
	X(js_GetMsg)                               \
	X(js_GetStreamInfo)                        \
	X(js_KeyValue)                             \
	X(js_PublishMsg)                           \
	X(js_PublishMsgAsync)                      \
	X(js_Subscribe)                            \
	X(js_UpdateStream)                         \
	X(kvConfig_Init)                           \
	X(kvStore_Delete)                          \
	X(kvStore_Destroy)                         \
	X(kvStore_PutString)                       \
	X(natsConnection_Close)                    \
	X(natsConnection_Connect)                  \
	X(natsConnection_Destroy)                  \
	X(natsConnection_GetConnectedUrl)          \
	X(natsConnection_GetMaxPayload)            \
	X(natsConnection_JetStream)                \
	X(natsMsgHeader_Get)                       \
	X(natsMsgHeader_Set)                       \
	X(natsMsg_Create)                          \
	X(natsMsg_Destroy)                         \
	X(natsMsg_GetData)                         \
	X(natsMsg_GetDataLength)                   \
	X(natsMsg_GetMetaData)                     \
	X(natsMsg_GetSubject)                      \
	X(natsOptions_Create)                      \
	X(natsOptions_Destroy)                     \
	X(natsOptions_LoadCATrustedCertificates)   \
	X(natsOptions_LoadCertificatesChain)       \
	X(natsOptions_SetClosedCB)                 \
	X(natsOptions_SetDisconnectedCB)           \
	X(natsOptions_SetErrorHandler)             \
	X(natsOptions_SetFailRequestsOnDisconnect) \
	X(natsOptions_SetIgnoreDiscoveredServers)  \
	X(natsOptions_SetMaxPingsOut)              \
	X(natsOptions_SetMaxReconnect)             \
	X(natsOptions_SetName)                     \
	X(natsOptions_SetPingInterval)             \
	X(natsOptions_SetReconnectJitter)          \
	X(natsOptions_SetReconnectWait)            \
	X(natsOptions_SetReconnectedCB)            \
	X(natsOptions_SetSendAsap)                 \
	X(natsOptions_SetServers)                  \
	X(natsOptions_SetTimeout)                  \
	X(natsOptions_SetUserCredentialsFromFiles) \
	X(natsStatus_GetText)                      \
	X(natsSubscription_Destroy)                \
	X(nats_GetLastError)                       \
	X(nats_ReleaseThreadMemory)

#define DEMON_LIBNATS_MEMBER(function) __typeof__(function) *(function);
struct demon_libnats {
	DEMON_LIBNATS_LIST(DEMON_LIBNATS_MEMBER)
};
#undef DEMON_LIBNATS_MEMBER

/** The library; usable after demon_libnats_load() has returned DEMON_OK once, and not written after
 * that. */
extern struct demon_libnats demon_nats;

/** Loads the library, once; it is never unloaded. DEMON_UNAVAIL: it is not installed, or another
 * version; the next call tries again. Any thread. */
enum demon_rc demon_libnats_load(struct demon_err *err) demon_must_check;

#endif
