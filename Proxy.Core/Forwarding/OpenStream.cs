using TorBalancer.Connecting;
using TorBalancer.Protocols;

namespace TorBalancer.Forwarding;

/// <summary>Opens a stream for one request. Throws only <see cref="OperationCanceledException"/>, for its token.</summary>
internal delegate ValueTask<ConnectOutcome> OpenStream(ProxyRequest request, CancellationToken cancellationToken);
