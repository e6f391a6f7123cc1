using System.Net.Sockets;

namespace TorBalancer.Configuration.Syntax;

/// <summary>A port of the worker's address, or a unix socket of its own.</summary>
/// <param name="Port">1 to 65535; 0 when <paramref name="Socket"/> is set.</param>
/// <param name="Socket">Null for a port.</param>
internal readonly record struct PortOrSocket(int Port, UnixDomainSocketEndPoint? Socket);
