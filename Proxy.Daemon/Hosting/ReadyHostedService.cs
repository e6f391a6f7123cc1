using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Protocols;
using TorBalancer.Server;
using TorBalancer.Transport;

namespace TorBalancer.Daemon.Hosting;

/// <summary>Says in the log that everything is there: started behind all that is needed for that, so that it is true.</summary>
internal sealed partial class ReadyHostedService(
    ProxyServer server, TorBalancerOptions options, StartHints hints, MemoryTrim trim, DescriptorBudget descriptors, MemoryRoom memory,
    ILogger<ReadyHostedService> logger)
    : IHostedLifecycleService
{
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        descriptors.Settle();
        if (descriptors.Limit < int.MaxValue)
            Log.Descriptors(logger, descriptors.Limit, descriptors.Reserve, Math.Min(descriptors.MostClients, memory.MostClients));
        foreach (var (listener, bound) in server.Bound.DistinctBy(static one => one.Model.Name))
        {
            if (bound is not IPEndPoint)
                continue;
            string address = listener.SessionPorts is null ? bound.ToString()! : listener.AddressText;
            string mode = listener.Mode ?? options.Balancing.Mode, isolation = listener.Isolation.ToString().ToLowerInvariant();
            if (listener.IsTransparent)
                Log.ReadyTransparent(logger, address, mode, isolation);
            else
                Log.Ready(logger, WaysTo(listener, address), mode, isolation);
        }

        if (server.Bound.Where(static one => one.Model is { Tls: null, IsTransparent: false }).Select(static one => one.Address)
            .OfType<IPEndPoint>().FirstOrDefault() is { } first)
        {
            foreach (string line in hints.For(first.ToString()))
                Log.Hint(logger, line);
        }

        trim.Started();
        return Task.CompletedTask;
    }

    /// <summary>As clients are told of it.</summary>
    private static string WaysTo(ListenerModel listener, string address)
    {
        bool http = listener.Speaks(DetectedProtocol.Http), socks5 = listener.Speaks(DetectedProtocol.Socks5);
        bool socks = socks5 || listener.Speaks(DetectedProtocol.Socks4);
        if (listener.Tls is not null)
            return http ? $"https://{address}{(socks ? ", or SOCKS in TLS there" : "")}" : $"SOCKS in TLS at {address}";
        string scheme = socks5 ? "socks5h" : "socks4a";
        return (http, socks) switch
        {
            (true, true) => $"http://{address} or {scheme}://{address}",
            (true, false) => $"http://{address}",
            _ => $"{scheme}://{address}",
        };
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(
            HostingEventIds.Ready, LogLevel.Information,
            "Ready: clients may use {Ways} (mode {Mode}, isolation {Isolation})")]
        public static partial void Ready(ILogger logger, string ways, string mode, string isolation);

        [LoggerMessage(
            HostingEventIds.ReadyTransparent, LogLevel.Information,
            "Ready: connections that are turned to {Address} are served (mode {Mode}, isolation {Isolation})")]
        public static partial void ReadyTransparent(ILogger logger, string address, string mode, string isolation);

        [LoggerMessage(
            HostingEventIds.Descriptors, LogLevel.Information,
            "{Limit} file descriptors, of which {Reserve} are kept for the daemon itself: {Clients} clients at a time")]
        public static partial void Descriptors(ILogger logger, int limit, int reserve, int clients);

        [LoggerMessage(HostingEventIds.StartHint, LogLevel.Information, "Try: {Line}")]
        public static partial void Hint(ILogger logger, string line);
    }
}
