namespace TorBalancer.Tests.Architecture;

/// <summary>The circles of files that stay in Proxy.Core, because what they hold is one idea.</summary>
internal static class FileCircles
{
    public static readonly (string[] Files, string Why)[] Known =
    [
        (["Configuration/ConfigurationReader.cs", "Configuration/ConfigurationRules.cs", "Configuration/ConfigurationSchema.Listeners.cs", "Configuration/ListenerDraft.cs", "Configuration/SectionTable.cs", "Configuration/WorkerDraft.cs"], "to be opened"),
        (["Protocols/Http/HttpFraming.cs", "Protocols/Http/HttpHead.cs"], "to be opened"),
        (["Server/AccessLog.cs", "Server/ServerEventIds.cs"], "to be opened"),
        (["Server/ClientConnection.Dial.cs", "Server/ConnectionRegistry.cs", "Server/ProxyListener.cs", "Server/ProxyServer.cs"], "to be opened"),
        (["Transport/Linux/LinuxConnection.Io.cs", "Transport/Linux/LinuxPipeReader.cs", "Transport/Linux/LinuxTunnel.Direction.cs", "Transport/Linux/LinuxWriter.cs"], "to be opened"),
        (["Transport/Linux/LinuxListener.cs", "Transport/Linux/LinuxTransport.cs"], "to be opened"),
        (["Transport/Sockets/ListeningSocket.cs", "Transport/Sockets/SocketTransport.cs", "Transport/Sockets/SocketTransportListener.cs"], "to be opened"),
        (["Workers/WorkerLease.cs", "Workers/WorkerState.cs"], "A lease is given out by the worker that it counts on, and gives itself back to it."),
    ];
}
