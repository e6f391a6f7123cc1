using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
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
            object address = listener.SessionPorts is null ? bound : listener.AddressText;
            if (bound is IPEndPoint && listener.Tls is not null)
                Log.ReadyTls(logger, address, options.Balancing.Mode, options.Balancing.Isolation.ToString().ToLowerInvariant());
            else if (bound is IPEndPoint)
                Log.Ready(logger, address, options.Balancing.Mode, options.Balancing.Isolation.ToString().ToLowerInvariant());
        }

        if (server.Bound.Where(static one => one.Model.Tls is null).Select(static one => one.Address).OfType<IPEndPoint>()
            .FirstOrDefault() is { } first)
        {
            foreach (string line in hints.For(first.ToString()))
                Log.Hint(logger, line);
        }

        trim.Started();
        return Task.CompletedTask;
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
            "Ready: clients may use http://{Address} or socks5h://{Address} (mode {Mode}, isolation {Isolation})")]
        public static partial void Ready(ILogger logger, object address, string mode, string isolation);

        [LoggerMessage(
            HostingEventIds.ReadyTls, LogLevel.Information,
            "Ready: clients may use https://{Address}, or SOCKS in TLS there (mode {Mode}, isolation {Isolation})")]
        public static partial void ReadyTls(ILogger logger, object address, string mode, string isolation);

        [LoggerMessage(
            HostingEventIds.Descriptors, LogLevel.Information,
            "{Limit} file descriptors, of which {Reserve} are kept for the daemon itself: {Clients} clients at a time")]
        public static partial void Descriptors(ILogger logger, int limit, int reserve, int clients);

        [LoggerMessage(HostingEventIds.StartHint, LogLevel.Information, "Try: {Line}")]
        public static partial void Hint(ILogger logger, string line);
    }
}
