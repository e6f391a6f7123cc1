namespace TorBalancer.Testnet;

/// <summary>The network could not be started or found. The message is for people, names the node and shows what it said last.</summary>
internal sealed class TestNetworkException(string message, Exception? inner = null) : Exception(message, inner);
