using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Server;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.DependencyInjection;

/// <summary>Makes the engine that [Engine] asks for.</summary>
internal static partial class EngineSelection
{
    /// <summary>
    /// Throws <see cref="PlatformNotSupportedException"/> or <see cref="IOException"/> when linux is asked for and cannot run.
    /// </summary>
    public static ITransport Create(TorBalancerOptions options, DescriptorBudget descriptors, TimeProvider time, ILogger logger)
    {
        var settings = new SocketSettings(options.Tunnel.KeepAlive, options.Tunnel.UserTimeout);
        if (options.Engine.Transport == EngineKind.Sockets || (options.Engine.Transport == EngineKind.Auto && !LinuxTransport.IsSupported))
            return new SocketTransport(time, settings, descriptors);
        if (!LinuxTransport.IsSupported)
            throw new PlatformNotSupportedException("[Engine] Transport = linux needs 64-bit Linux; use auto or sockets");
        int loops = options.Engine.Loops == 0 ? Environment.ProcessorCount : options.Engine.Loops;
        try
        {
            return new LinuxTransport(
                new EventLoops(loops, failure => Log.Failed(logger, failure), PipePool.UsualLimit, descriptors), settings);
        }
        catch (IOException failure) when (options.Engine.Transport == EngineKind.Auto)
        {
            // A sandbox may forbid epoll or eventfd; the managed engine asks the runtime, which has its own.
            Log.FellBack(logger, failure.Message);
            return new SocketTransport(time, settings, descriptors);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(ServerEventIds.EngineFailed, LogLevel.Error, "A step of an event loop failed by a fault of ours")]
        public static partial void Failed(ILogger logger, Exception failure);

        [LoggerMessage(ServerEventIds.EngineFellBack, LogLevel.Warning, "The linux engine cannot run here ({Reason}); sockets is used")]
        public static partial void FellBack(ILogger logger, string reason);
    }
}
